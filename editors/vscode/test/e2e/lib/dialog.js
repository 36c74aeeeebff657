// Modal questions.

const BOX = ".monaco-dialog-box";

/** Waits for a question with this text. */
export async function dialog(window, text) {
    const box = window.page.locator(BOX).filter({ hasText: text }).first();
    await box.waitFor();
    return box;
}

/** Presses a button of the question with this text. */
export async function decide(window, text, button) {
    const box = await dialog(window, text);
    await box.locator(".monaco-button").filter({ hasText: button }).first().click();
    await box.waitFor({ state: "detached" });
}
