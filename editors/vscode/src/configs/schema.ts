// The schema of configuration files for VS Code's own JSON service, which checks and completes by it while
// there is no server. With a server it gets a schema that says nothing, for the server says all of it, and
// better: else the user had every mistake and every completion twice.
//
// It is a file system because VS Code starts an extension for those (`onFileSystem`): the JSON service
// may ask before we are there.

import { type Disposable, EventEmitter, type ExtensionContext, type FileChangeEvent, FileChangeType, FileSystemError, type FileSystemProvider, FileType, Uri, workspace } from "vscode";
import type { Server } from "../server/server";

export const SCHEME = "mirrord-schema";
const SILENT = new TextEncoder().encode("{}");

export class SchemaFiles implements FileSystemProvider {
    private readonly changed = new EventEmitter<FileChangeEvent[]>();
    readonly onDidChangeFile = this.changed.event;
    /** The JSON service watches what it has read. */
    private readonly read = new Set<string>();
    private silent: boolean;
    private version = Date.now();

    constructor(
        private readonly extension: Uri,
        private readonly server: Server,
    ) {
        this.silent = server.state === "on";
    }

    static register(context: ExtensionContext, server: Server): Disposable {
        const files = new SchemaFiles(context.extensionUri, server);
        const following = server.onDidChangeState(() => files.follow());
        const registered = workspace.registerFileSystemProvider(SCHEME, files, { isReadonly: true, isCaseSensitive: true });
        return { dispose: () => [registered, following, files.changed].forEach((one) => void one.dispose()) };
    }

    private follow(): void {
        const silent = this.server.state === "on";
        if (silent === this.silent) return;
        this.silent = silent;
        this.version += 1;
        this.changed.fire([...this.read].map((uri) => ({ type: FileChangeType.Changed, uri: Uri.parse(uri) })));
    }

    async readFile(uri: Uri): Promise<Uint8Array> {
        this.read.add(uri.toString());
        const whole = await workspace.fs.readFile(Uri.joinPath(this.extension, "schemas", uri.path));
        return this.silent ? SILENT : whole;
    }

    async stat(uri: Uri): Promise<{ type: FileType; ctime: number; mtime: number; size: number }> {
        const { byteLength } = await this.readFile(uri);
        return { type: FileType.File, ctime: 0, mtime: this.version, size: byteLength };
    }

    watch(): Disposable {
        return { dispose: () => undefined };
    }

    readDirectory(uri: Uri): never {
        throw FileSystemError.FileNotADirectory(uri);
    }

    createDirectory(uri: Uri): never {
        throw FileSystemError.NoPermissions(uri);
    }

    writeFile(uri: Uri): never {
        throw FileSystemError.NoPermissions(uri);
    }

    delete(uri: Uri): never {
        throw FileSystemError.NoPermissions(uri);
    }

    rename(uri: Uri): never {
        throw FileSystemError.NoPermissions(uri);
    }
}
