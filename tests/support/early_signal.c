/* Preloaded: after arm(), the next installation of a handler for SIGTERM is followed by SIGTERM at once. */
#include <dlfcn.h>
#include <signal.h>
#include <stddef.h>

static volatile int is_armed;

void arm(void) { is_armed = 1; }

int sigaction(int number, const struct sigaction *wanted, struct sigaction *earlier) {
    int (*real)(int, const struct sigaction *, struct sigaction *) = dlsym(RTLD_NEXT, "sigaction");
    int result = real(number, wanted, earlier);
    if (number == SIGTERM && wanted != NULL && is_armed) {
        is_armed = 0;
        raise(SIGTERM);
    }
    return result;
}
