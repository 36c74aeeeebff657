// Launches for which one of mirrord's commands, or the user in a dialog, has decided already, whatever
// the switch says.

export type Forcing = "mirrord" | "plain";

export class Forced {
    private readonly launches: { names: readonly string[]; how: Forcing }[] = [];

    get(name: string): Forcing | undefined {
        return this.launches.findLast(({ names }) => names.includes(name))?.how;
    }

    /** While `start` runs, launches of these names are run so. */
    async during<T>(names: readonly string[], how: Forcing, start: () => Thenable<T>): Promise<T> {
        const launch = { names, how };
        this.launches.push(launch);
        try {
            return await start();
        } finally {
            this.launches.splice(this.launches.indexOf(launch), 1);
        }
    }
}
