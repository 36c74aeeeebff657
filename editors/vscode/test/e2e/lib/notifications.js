// Toasts.

/** Waits for a notification with this text. */
export async function notification(window, text) {
    const toast = window.page.locator(".notification-toast").filter({ hasText: text }).first();
    await toast.waitFor();
    return toast;
}

/** Presses a button of the notification with this text. */
export async function answer(window, text, button) {
    const toast = await notification(window, text);
    await toast.locator(".monaco-button").filter({ hasText: button }).first().click();
}
