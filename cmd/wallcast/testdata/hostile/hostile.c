// A plugin that does what its name says.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *bad[] = {"<script>alert(1)</script>", "\\\"><img src=x onerror=alert(1)>", "javascript:alert(1)",
                            "</article></main><svg onload=alert(1)>", "\\u2028\\r\\nevent: wall:bye\\n\\n"};

static char *volatile taken; // so that no compiler sees that it is of no use

int main(void) {
    const char *act = strchr(getenv("WALLCAST_PLUGIN"), '-') + 1;
    fprintf(stderr, "this is %s\n", getenv("WALLCAST_PLUGIN"));
    if (!strcmp(act, "spin")) {
        for (volatile int n = 0;; n++) {
        }
    } else if (!strcmp(act, "sleep")) {
        sleep(60);
    } else if (!strcmp(act, "allocate")) {
        while ((taken = malloc(1 << 20)))
            memset(taken, 1, 1 << 20);
        abort();
    } else if (!strcmp(act, "flood")) {
        for (;;)
            fputs("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", stdout);
    } else if (!strcmp(act, "lines")) {
        for (;;)
            puts("{\"data\":\"flooded\"}");
    } else if (!strcmp(act, "stderr")) {
        for (int n = 0; n < 10000; n++)
            fprintf(stderr, "%0500d\n", n);
    } else if (!strcmp(act, "partial")) {
        fputs("{\"data\":\"an event\"}\n{\"data\":\"half", stdout);
    } else if (!strcmp(act, "noise")) {
        for (int n = 0; n < 10000; n++)
            putchar(rand() % 256);
        fwrite("\n\0\377\376{\"data\":\"x\"}\n", 1, 17, stdout);
    } else if (!strcmp(act, "elsewhere")) {
        puts("{\"wall\":\"other\",\"data\":\"intruder\"}\n{\"kind\":\"wall:bye\",\"data\":\"forged\"}\n{\"data\":\"an event\"}");
    } else if (!strcmp(act, "markup")) {
        for (const char **b = bad; b < bad + sizeof bad / sizeof *bad; b++) {
            printf("{\"data\":{\"text\":\"%s\",\"title\":\"%s\",\"url\":\"%s\",\"image\":\"%s\",\"author\":{\"name\":\"%s\",\"url\":\"%s\"},\"%s\":\"%s\"}}\n", *b, *b, *b, *b, *b, *b, *b, *b);
            printf("{\"kind\":\"%s\",\"key\":\"%s\",\"id\":\"%s\",\"data\":\"%s\"}\n", *b, *b, *b, *b);
            printf("{\"id\":\"%s\",\"data\":\"%s\"}\n", *b, *b);
            fprintf(stderr, "%s\n", *b);
        }
    }
    return 0;
}
