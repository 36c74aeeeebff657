/* Prints its arguments, a variable, and the first line of a file of the pod. */
#include <stdio.h>
#include <stdlib.h>

int main(int c, char **v) {
    char line[64] = "";
    FILE *file = fopen("/data/file", "r");
    if (!file || !fgets(line, sizeof line, file)) return 1;
    for (int i = 0; i < c; i++) printf("[%s]", v[i]);
    printf(" %s %s", getenv("VALUE") ? getenv("VALUE") : "-", line);
    return 0;
}
