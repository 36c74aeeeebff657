#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void must(int held, const char *what) {
    if (!held) {
        perror(what);
        exit(1);
    }
}

/* Reads until the other side is done or `end` has come. */
static void receive(int connection, char *text, size_t size, const char *end) {
    size_t length = 0;
    text[0] = 0;
    while (length < size - 1 && !(end && strstr(text, end))) {
        ssize_t got = read(connection, text + length, size - 1 - length);
        must(got >= 0, "read");
        if (got == 0) break;
        length += (size_t)got;
        text[length] = 0;
    }
}

static void call_service(char *order, size_t size) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    must(getaddrinfo("orders.shop.svc.cluster.local", "80", &hints, &found) == 0, "getaddrinfo");
    int connection = socket(found->ai_family, SOCK_STREAM, 0);
    must(connect(connection, found->ai_addr, found->ai_addrlen) == 0, "connect");
    freeaddrinfo(found);
    dprintf(connection, "GET /orders/42 HTTP/1.1\r\nHost: orders\r\nConnection: close\r\n\r\n");
    char answer[4096];
    receive(connection, answer, sizeof answer, NULL);
    close(connection);
    char *body = strstr(answer, "\r\n\r\n");
    must(body != NULL, "an answer without a body");
    snprintf(order, size, "%s", body + 4);
    order[strcspn(order, "\n")] = 0;
}

static void serve(int connection, const char *name, const char *text, const char *order, const char *path) {
    char body[128];
    int length = snprintf(body, sizeof body, "local c %s\n", path); /* request */
    dprintf(connection, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", length, body);
    (void)name, (void)text, (void)order;
}

int main(void) {
    puts("started"); /* first */
    const char *name = getenv("POD_NAME");
    char text[64], order[128], request[4096], path[64];
    FILE *file = fopen("/data/hello.txt", "r");
    must(file && fgets(text, sizeof text, file), "/data/hello.txt");
    text[strcspn(text, "\n")] = 0;
    call_service(order, sizeof order);

    int listener = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(8080)};
    must(bind(listener, (struct sockaddr *)&address, sizeof address) == 0, "bind");
    must(listen(listener, 8) == 0, "listen");
    puts("listening");
    fflush(stdout);
    int connection = accept(listener, NULL, NULL);
    must(connection >= 0, "accept");
    receive(connection, request, sizeof request, "\r\n\r\n");
    must(sscanf(request, "GET %63s", path) == 1, "a request line");
    serve(connection, name, text, order, path);
    close(connection);
    return 0;
}
