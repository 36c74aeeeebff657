// What a Java program sees: run inside the pod and through us, it must print the same.
import java.io.*;
import java.net.*;
import java.nio.*;
import java.nio.channels.*;
import java.nio.file.*;
import java.nio.file.attribute.*;
import java.security.*;
import java.util.*;
import java.util.stream.*;

public class Probe {
    static String sha(byte[] data) throws Exception {
        return new java.math.BigInteger(1, MessageDigest.getInstance("SHA-256").digest(data)).toString(16);
    }

    interface Work { Object run() throws Exception; }

    static void attempt(String what, Work work) {
        try {
            System.out.println(what + ": " + work.run());
        } catch (Exception error) {
            System.out.println(what + ": " + error.getClass().getSimpleName());
        }
    }

    static void show(String name) {
        Path path = Path.of(name);
        attempt("attributes " + name, () -> {
            Map<String, Object> a = Files.readAttributes(path, "unix:mode,nlink,uid,gid,size,lastModifiedTime", LinkOption.NOFOLLOW_LINKS);
            return new TreeMap<>(a);
        });
        attempt("link " + name, () -> Files.readSymbolicLink(path));
        attempt("real " + name, () -> path.toRealPath());
        attempt("list " + name, () -> {
            try (Stream<Path> entries = Files.list(path)) {
                return entries.map(Path::toString).sorted().collect(Collectors.toList());
            }
        });
        attempt("read " + name, () -> sha(Files.readAllBytes(path)));
        attempt("map " + name, () -> {
            try (FileChannel channel = FileChannel.open(path)) {
                MappedByteBuffer view = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size());
                byte[] data = new byte[view.remaining()];
                view.get(data);
                return sha(data);
            }
        });
    }

    static void write(String folder) {
        Path a = Path.of(folder, "java-a"), b = Path.of(folder, "java-b");
        attempt("write", () -> Files.writeString(a, "from java\n".repeat(1000)).getFileName());
        attempt("copy", () -> Files.copy(a, b).getFileName());
        attempt("move", () -> Files.move(b, a, StandardCopyOption.REPLACE_EXISTING).getFileName());
        attempt("size", () -> Files.size(a));
        attempt("delete", () -> { Files.delete(a); return Files.exists(a); });
    }

    static void tcp(String ip, int port) {
        attempt("socket", () -> {
            try (Socket socket = new Socket()) {
                socket.connect(new InetSocketAddress(ip, port), 3000);
                System.out.println("peer " + socket.getRemoteSocketAddress() + " local " + socket.getLocalAddress());
                socket.getOutputStream().write("hello from java".getBytes());
                socket.shutdownOutput();
                return new String(socket.getInputStream().readAllBytes());
            }
        });
        attempt("channel", () -> {
            try (SocketChannel channel = SocketChannel.open(); Selector selector = Selector.open()) {
                channel.configureBlocking(false);
                boolean now = channel.connect(new InetSocketAddress(ip, port));
                channel.register(selector, SelectionKey.OP_CONNECT);
                if (!now && selector.select(3000) == 0) return "not ready";
                return "connected " + channel.finishConnect();
            }
        });
    }

    static void udp(String ip, int port) {
        attempt("datagram", () -> {
            try (DatagramSocket socket = new DatagramSocket()) {
                socket.setSoTimeout(3000);
                byte[] data = "hello from java".getBytes();
                socket.send(new DatagramPacket(data, data.length, InetAddress.getByName(ip), port));
                DatagramPacket answer = new DatagramPacket(new byte[100], 100);
                socket.receive(answer);
                return new String(answer.getData(), 0, answer.getLength()) + " from " + answer.getSocketAddress();
            }
        });
    }

    static void serve(int port, int count) throws Exception {
        try (ServerSocket server = new ServerSocket(port)) {
            System.out.println("listening on " + server.getLocalPort());
            for (int i = 0; i < count; i++) {
                try (Socket client = server.accept()) {
                    BufferedReader in = new BufferedReader(new InputStreamReader(client.getInputStream()));
                    String request = in.readLine();
                    while (!in.readLine().isEmpty()) { }
                    String body = "local java: " + request + " from " + client.getInetAddress().getHostAddress() + "\n";
                    System.out.print("request " + body);
                    client.getOutputStream().write(("HTTP/1.1 200 OK\r\nContent-Length: " + body.length() + "\r\nConnection: close\r\n\r\n" + body).getBytes());
                }
            }
        }
    }

    public static void main(String[] args) throws Exception {
        switch (args[0]) {
            case "env" -> new TreeMap<>(System.getenv()).forEach((key, value) -> System.out.println("env " + key + "=" + value));
            case "files" -> { for (int i = 1; i < args.length; i++) show(args[i]); }
            case "write" -> write(args[1]);
            case "dns" -> {
                for (int i = 1; i < args.length; i++) {
                    String name = args[i];
                    attempt("resolve " + name, () -> Arrays.stream(InetAddress.getAllByName(name)).map(InetAddress::getHostAddress).sorted().collect(Collectors.toList()));
                }
            }
            case "tcp" -> tcp(args[1], Integer.parseInt(args[2]));
            case "udp" -> udp(args[1], Integer.parseInt(args[2]));
            case "serve" -> serve(Integer.parseInt(args[1]), Integer.parseInt(args[2]));
            default -> System.exit(2);
        }
    }
}
