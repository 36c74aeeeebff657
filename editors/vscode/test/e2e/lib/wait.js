// Waiting for states. Machines are busy: the limit is generous, and says what was waited for.

/** How long a state may take, in milliseconds; shorter while a test is written. */
export const PATIENCE = Number(process.env.MIRRORD_E2E_PATIENCE ?? 90_000);

/** The first truthy answer of `holds`, asked again and again. */
export async function until(what, holds, patience = PATIENCE) {
    const deadline = Date.now() + patience;
    for (;;) {
        const found = await holds();
        if (found) return found;
        if (Date.now() > deadline) throw new Error(`waited ${patience / 1000} s for ${what}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
}
