// Units answers messages that name a length, a weight, a speed or a temperature with
// what that is in the units of others: "75 °F is 24 °C, 5 mi is 8 km".
//
// It is a WebAssembly module; clang, lld, wasi-libc and libclang-rt-dev-wasm32 are
// packages of Debian:
//
//   clang --target=wasm32-wasi -O2 -o plugins/units.wasm plugins/examples/units/units.c
//
// In wallcast.yaml, where into may be metric or imperial, or be left out for both:
//
//   sources:
//     units:
//       plugin: {on: wall.main.message, config: {into: metric}}
//       to: wall.main.units
//
// Without on, it answers requests: curl -d '5 mi' localhost:8080/hooks/units
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit {
    const char *name, *other, *into;
    double factor, offset;
};

// The longer of two names with one beginning comes first.
static const struct unit units[] = {
    {"\u00b0F", "\u00b0C", "metric", 5. / 9, -160. / 9},
    {"\\u00b0F", "\u00b0C", "metric", 5. / 9, -160. / 9}, // as some write it in JSON
    {"miles", "km", "metric", 1.609344, 0},
    {"mile", "km", "metric", 1.609344, 0},
    {"mi", "km", "metric", 1.609344, 0},
    {"mph", "km/h", "metric", 1.609344, 0},
    {"feet", "m", "metric", 0.3048, 0},
    {"ft", "m", "metric", 0.3048, 0},
    {"lbs", "kg", "metric", 0.45359237, 0},
    {"lb", "kg", "metric", 0.45359237, 0},
    {"\u00b0C", "\u00b0F", "imperial", 9. / 5, 32},
    {"\\u00b0C", "\u00b0F", "imperial", 9. / 5, 32},
    {"km/h", "mph", "imperial", 1 / 1.609344, 0},
    {"km", "mi", "imperial", 1 / 1.609344, 0},
    {"kg", "lb", "imperial", 1 / 0.45359237, 0},
};

enum { most = 10 }; // quantities of one message

// readAll returns what standard input holds, as a string.
static char *readAll(void) {
    size_t room = 1 << 16, length = 0, got;
    char *text = malloc(room);
    while (text && (got = fread(text + length, 1, room - length - 1, stdin)) > 0) {
        length += got;
        if (room - length == 1)
            text = realloc(text, room *= 2);
    }
    if (text)
        text[length] = 0;
    return text;
}

// afterString returns what follows the JSON string that begins at p.
static const char *afterString(const char *p) {
    for (p++; *p && *p != '"'; p++)
        if (*p == '\\' && p[1])
            p++;
    return *p ? p + 1 : p;
}

// afterValue returns what follows the JSON value that begins at p.
static const char *afterValue(const char *p) {
    int depth = 0;
    while (*p) {
        if (*p == '"') {
            p = afterString(p);
        } else if (*p == '{' || *p == '[') {
            depth++, p++;
        } else if (*p == '}' || *p == ']') {
            if (depth-- == 0)
                return p;
            p++;
        } else if (*p == ',' && depth == 0) {
            return p;
        } else {
            p++;
            continue;
        }
        if (depth == 0)
            return p;
    }
    return p;
}

// member returns the value of that name in the JSON object that begins at p, or
// NULL.
static const char *member(const char *p, const char *name) {
    if (!p || *p != '{')
        return NULL;
    for (p++; *p && *p != '}';) {
        p += strspn(p, " \t\r\n,");
        if (*p != '"')
            return NULL;
        const char *key = p + 1, *end = afterString(p);
        p = end + strspn(end, " \t\r\n:");
        if ((size_t)(end - key) == strlen(name) + 1 && !strncmp(key, name, strlen(name)))
            return p;
        p = afterValue(p);
        p += strspn(p, " \t\r\n");
    }
    return NULL;
}

// is reports whether the JSON value at p is the string text.
static int is(const char *p, const char *text) {
    size_t length = strlen(text);
    return p && *p == '"' && !strncmp(p + 1, text, length) && p[1 + length] == '"';
}

static int ofWord(char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

// rounded leaves as many digits as people say.
static double rounded(double v) {
    double scale = v > -10 && v < 10 ? 10 : 1;
    return (double)(long long)(v * scale + (v < 0 ? -0.5 : 0.5)) / scale;
}

// convert prints what the quantities of a JSON string are in other units, and
// returns how many it has found. before is printed once, before the first.
static int convert(const char *text, const char *into, const char *before) {
    int found = 0;
    const char *end = afterString(text) - 1;
    for (const char *p = text + 1; p < end && found < most; p++) {
        // A number begins a word: not one of "v1.5", "1,200", "a/5" or "10-20".
        if (*p < '0' || *p > '9' || ofWord(p[-1]) || strchr(".,/", p[-1]) || (p[-1] == '-' && (ofWord(p[-2]) || p[-2] == '-')))
            continue;
        size_t digits = strspn(p, "0123456789");
        if (p[digits] == '.')
            digits += 1 + strspn(p + digits + 1, "0123456789");
        if (digits > 9)
            continue;
        double value = strtod(p, NULL) * (p[-1] == '-' ? -1 : 1);
        const char *name = p + digits + (p[digits] == ' ');
        for (const struct unit *u = units; u < units + sizeof units / sizeof *units; u++) {
            size_t length = strlen(u->name);
            if (strncmp(name, u->name, length) || ofWord(name[length]) || name[length] == '/' || (into && !is(into, u->into)))
                continue;
            const char *shown = *u->name == '\\' ? u->name + 6 : u->name;
            printf("%s%.9g %s%s is %.9g %s", found++ ? ", " : before, value,
                   shown == u->name ? "" : "\u00b0", shown, rounded(value * u->factor + u->offset), u->other);
            break;
        }
    }
    return found;
}

int main(void) {
    char *trigger = readAll();
    if (!trigger) {
        fputs("there is no memory for the trigger\n", stderr);
        return 1;
    }
    const char *into = member(member(trigger, "config"), "into");
    if (into && !is(into, "metric") && !is(into, "imperial")) {
        fputs("into is metric or imperial\n", stderr);
        return 1;
    }
    const char *input = member(trigger, "input"), *text = member(input, "data"), *id = member(input, "id");
    if (text && *text == '{')
        text = member(text, "text");
    if (!text)
        text = member(input, "body"); // of a request
    if (!text || *text != '"')
        return 0; // there is nothing to convert
    if (!convert(text, into, "{\"data\":{\"text\":\""))
        return 0;
    // With the id of the event, a trigger that comes twice writes once.
    if (id && *id == '"')
        printf("\"},\"id\":%.*s}\n", (int)(afterString(id) - id), id);
    else
        puts("\"}}");
    return 0;
}
