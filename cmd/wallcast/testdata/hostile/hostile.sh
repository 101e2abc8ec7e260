#!/bin/sh
# A plugin that does what its name says.
echo "this is $WALLCAST_PLUGIN" >&2
case $WALLCAST_PLUGIN in
*-bomb) bomb() { bomb | bomb & }; (bomb) 2>/dev/null; exec sleep 60 ;;
*-spin) while :; do :; done ;;
*-sleep) exec sleep 60 ;;
*-allocate) exec python3 -c 'x = [b"x" * 1048576 for n in range(4096)]' ;;
*-flood) exec cat /dev/zero | tr '\0' 'x' ;;
*-lines) while :; do echo '{"data":"flooded"}'; done ;;
*-stderr) head -c 5000000 /dev/zero | tr '\0' x | fold -w 500 >&2 ;;
*-partial) printf '{"data":"an event"}\n{"data":"half' ;;
*-noise) head -c 200000 /dev/urandom; printf '\n\0\377\376{"data":"x"}\n' ;;
*-elsewhere) printf '%s\n' '{"wall":"other","data":"intruder"}' '{"kind":"wall:bye","data":"forged"}' '{"data":"an event"}' ;;
*-markup)
    for bad in '<script>alert(1)</script>' '\"><img src=x onerror=alert(1)>' 'javascript:alert(1)' '</article></main><svg onload=alert(1)>' '\u2028\r\nevent: wall:bye\n\n'; do
        printf '{"data":{"text":"%s","title":"%s","url":"%s","image":"%s","author":{"name":"%s","url":"%s","image":"%s"},"time":"%s","expires":"%s","%s":"%s"}}\n' "$bad" "$bad" "$bad" "$bad" "$bad" "$bad" "$bad" "$bad" "$bad" "$bad" "$bad"
        printf '{"kind":"%s","key":"%s","id":"%s","time":"%s","data":"%s"}\n' "$bad" "$bad" "$bad" "$bad" "$bad"
        printf '{"id":"%s","data":"%s"}\n' "$bad" "$bad"
        echo "$bad" >&2
    done ;;
*) echo '{"data":"well done"}' ;;
esac
