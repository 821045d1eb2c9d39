/* Measures toxcore as our own rows are measured: two nodes, two processes, loopback only, one clock for both.
 *
 *   ann (parent) -- UDP over lo --> bob (child)     one page of shared memory: keys, ports, what bob has seen
 *
 * `toxcore e2e|idle [--smoke]`. Prints lines `NAME VALUE`. Built and started by `cargo xtask bench e2e|app
 * --with-toxcore`. Nothing is stored: toxcore keeps no message on disk. The network is a namespace of its own with
 * nothing but lo, so that bytes are counted exactly; where the system refuses one, the lines of bytes are missing.
 */
#define _GNU_SOURCE
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <tox/tox.h>
#include <unistd.h>

enum { TEXT = 100, MOST = 4096 };
/* Longest wait for anything, ns: reached only when something is broken. */
static const uint64_t PATIENCE = 120ull * 1000000000ull;
/* So long after a connection its first noise is over, ns. */
static const uint64_t SETTLE = 8ull * 1000000000ull;

enum kind { ECHO = 1, ONE_WAY, MANY };

/* Written by one process each, read by the other. */
struct side {
    uint8_t key[TOX_PUBLIC_KEY_SIZE], dht[TOX_PUBLIC_KEY_SIZE];
    uint16_t port;
    atomic_bool ready, connected;
};
struct shared {
    struct side ann, bob;
    atomic_bool tight, end;
    atomic_uint one_ways;          /* texts that Bob has timed */
    uint64_t one_way[MOST];        /* ns */
    atomic_uint many;              /* texts that Bob has counted */
    atomic_ullong last;            /* when he had the last of them, ns */
    atomic_ullong file_done;       /* when Bob had the last byte, ns */
    struct rusage bob_used;        /* valid once `answered` equals `asked` */
    atomic_uint asked, answered;
};
static struct shared *both;

/* A text: its kind, when it was sent, and filling. */
struct text {
    uint8_t kind;
    uint64_t sent;
    uint8_t rest[TEXT - 9];
} __attribute__((packed));

struct me {
    Tox *tox;
    bool is_ann, connected;
    unsigned receipts, echoes;
    uint64_t echo_sent, file_size;
};

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static void fail(const char *why) {
    fprintf(stderr, "toxcore: %s\n", why);
    exit(1);
}

static void say(const char *name, double value) { printf("%s %.6f\n", name, value); }

static double ms(uint64_t ns) { return (double)ns / 1e6; }

static int later(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The nearest rank, in ms, as in our own rows. */
static double percentile(uint64_t *times, unsigned n, unsigned percent) {
    qsort(times, n, sizeof *times, later);
    unsigned rank = (n * percent + 99) / 100;
    return ms(times[rank ? rank - 1 : 0]);
}

/* A network with nothing but lo. */
static bool own_network(void) {
    if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) return false;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct ifreq lo = {.ifr_name = "lo"};
    bool up = fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &lo) == 0;
    lo.ifr_flags |= IFF_UP;
    up = up && ioctl(fd, SIOCSIFFLAGS, &lo) == 0;
    if (fd >= 0) close(fd);
    if (!up) fail("lo does not come up in a network of its own");
    return true;
}

/* Bytes that went over lo so far, each packet once, IP level. */
static double lo_bytes(void) {
    FILE *dev = fopen("/proc/self/net/dev", "r");
    char line[512];
    unsigned long long got = 0;
    while (dev && fgets(line, sizeof line, dev)) {
        char *lo = strstr(line, "lo:");
        if (lo && sscanf(lo + 3, "%llu", &got) == 1) break;
    }
    if (dev) fclose(dev);
    return (double)got;
}

/* Callbacks. */

static void on_friend(Tox *tox, uint32_t friend, TOX_CONNECTION status, void *user) {
    (void)tox, (void)friend;
    struct me *me = user;
    me->connected = status != TOX_CONNECTION_NONE;
    atomic_store(me->is_ann ? &both->ann.connected : &both->bob.connected, me->connected);
}

static void on_receipt(Tox *tox, uint32_t friend, uint32_t message, void *user) {
    (void)tox, (void)friend, (void)message;
    ((struct me *)user)->receipts++;
}

static void on_text(Tox *tox, uint32_t friend, TOX_MESSAGE_TYPE type, const uint8_t *bytes, size_t length, void *user) {
    struct me *me = user;
    struct text text;
    if (length != sizeof text) return;
    memcpy(&text, bytes, sizeof text);
    if (me->is_ann) {
        me->echoes += text.sent == me->echo_sent;
        return;
    }
    unsigned seen = atomic_load(&both->one_ways);
    if (text.kind == MANY) {
        atomic_store(&both->last, now());
        atomic_fetch_add(&both->many, 1);
    } else if (seen < MOST) {
        both->one_way[seen] = now() - text.sent;
        atomic_store(&both->one_ways, seen + 1);
    }
    if (text.kind == ECHO) tox_friend_send_message(tox, friend, type, bytes, length, NULL);
}

static void on_file(Tox *tox, uint32_t friend, uint32_t file, uint32_t kind, uint64_t size, const uint8_t *name,
                    size_t length, void *user) {
    (void)kind, (void)name, (void)length;
    ((struct me *)user)->file_size = size;
    tox_file_control(tox, friend, file, TOX_FILE_CONTROL_RESUME, NULL);
}

static void on_bytes(Tox *tox, uint32_t friend, uint32_t file, uint64_t at, const uint8_t *bytes, size_t length,
                     void *user) {
    (void)tox, (void)friend, (void)file, (void)bytes;
    if (length == 0 && at == ((struct me *)user)->file_size) atomic_store(&both->file_done, now());
}

static void on_wanted(Tox *tox, uint32_t friend, uint32_t file, uint64_t at, size_t length, void *user) {
    (void)user;
    static uint8_t bytes[1 << 16];
    if (length > sizeof bytes) fail("a chunk is asked for that is too long");
    tox_file_send_chunk(tox, friend, file, at, bytes, length, NULL);
}

/* A node. */

static void step(struct me *me) {
    tox_iterate(me->tox, me);
    uint32_t wait = atomic_load(&both->tight) ? 1 : tox_iteration_interval(me->tox);
    usleep(wait * 1000);
}

static void start(struct me *me, bool is_ann) {
    struct Tox_Options *options = tox_options_new(NULL);
    tox_options_set_ipv6_enabled(options, false);
    tox_options_set_local_discovery_enabled(options, false);
    tox_options_set_hole_punching_enabled(options, false);
    *me = (struct me){.tox = tox_new(options, NULL), .is_ann = is_ann};
    tox_options_free(options);
    if (!me->tox) fail("a node does not start");
    tox_callback_friend_connection_status(me->tox, on_friend);
    tox_callback_friend_read_receipt(me->tox, on_receipt);
    tox_callback_friend_message(me->tox, on_text);
    tox_callback_file_recv(me->tox, on_file);
    tox_callback_file_recv_chunk(me->tox, on_bytes);
    tox_callback_file_chunk_request(me->tox, on_wanted);
    struct side *own = is_ann ? &both->ann : &both->bob, *other = is_ann ? &both->bob : &both->ann;
    tox_self_get_public_key(me->tox, own->key);
    tox_self_get_dht_id(me->tox, own->dht);
    own->port = tox_self_get_udp_port(me->tox, NULL);
    atomic_store(&own->ready, true);
    for (uint64_t began = now(); !atomic_load(&other->ready); usleep(200))
        if (now() - began > PATIENCE) fail("the other node does not start");
    if (!tox_bootstrap(me->tox, "127.0.0.1", other->port, other->dht, NULL)) fail("bootstrap");
    if (tox_friend_add_norequest(me->tox, other->key, NULL) == UINT32_MAX) fail("no friend");
}

/* Bob does what comes, until it is over. */
static void bob(void) {
    struct me me;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    start(&me, false);
    while (!atomic_load(&both->end)) {
        step(&me);
        unsigned asked = atomic_load(&both->asked);
        if (asked != atomic_load(&both->answered)) {
            getrusage(RUSAGE_SELF, &both->bob_used);
            atomic_store(&both->answered, asked);
        }
    }
    tox_kill(me.tox);
    exit(0);
}

/* Both start at once. Answers with the ns until each has seen the other. */
static uint64_t meet(struct me *ann, pid_t *child) {
    memset(both, 0, sizeof *both);
    fflush(stdout);
    uint64_t began = now();
    *child = fork();
    if (*child < 0) fail("fork");
    if (*child == 0) bob();
    start(ann, true);
    while (!atomic_load(&both->ann.connected) || !atomic_load(&both->bob.connected)) {
        if (now() - began > PATIENCE) fail("the friends do not connect");
        step(ann);
    }
    return now() - began;
}

static void part(struct me *ann, pid_t child) {
    atomic_store(&both->end, true);
    waitpid(child, NULL, 0);
    tox_kill(ann->tox);
}

static void run_for(struct me *ann, uint64_t time) {
    for (uint64_t began = now(); now() - began < time;) step(ann);
}

static bool send_text(struct me *ann, enum kind kind) {
    struct text text = {.kind = (uint8_t)kind, .sent = now()};
    memset(text.rest, '.', sizeof text.rest);
    ann->echo_sent = text.sent;
    TOX_ERR_FRIEND_SEND_MESSAGE why;
    tox_friend_send_message(ann->tox, 0, TOX_MESSAGE_TYPE_NORMAL, (const uint8_t *)&text, sizeof text, &why);
    if (why != TOX_ERR_FRIEND_SEND_MESSAGE_OK && why != TOX_ERR_FRIEND_SEND_MESSAGE_SENDQ) fail("not connected");
    return why == TOX_ERR_FRIEND_SEND_MESSAGE_OK;
}

/* Texts one at a time, each answered by Bob's own text, in one of the two loops. Each is sent at any moment between two
 * steps, as a person would: sent right after a step, the two loops fall into step and every answer takes two of them. */
static void echoes(struct me *ann, unsigned n, bool tight) {
    static uint64_t round[MOST];
    char name[64];
    atomic_store(&both->tight, tight);
    run_for(ann, 500000000ull);
    atomic_store(&both->one_ways, 0);
    for (unsigned i = 0; i < n; i++) {
        unsigned before = ann->echoes;
        usleep((useconds_t)(rand() % 50000));
        uint64_t began = now();
        if (!send_text(ann, ECHO)) fail("a text is not taken");
        while (ann->echoes == before) {
            if (now() - began > PATIENCE) fail("no echo");
            step(ann);
        }
        round[i] = now() - began;
    }
    const char *loop = tight ? "tight" : "default";
    unsigned ps[] = {50, 99};
    for (unsigned i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "%s_round_trip_p%u_ms", loop, ps[i]);
        say(name, percentile(round, n, ps[i]));
        snprintf(name, sizeof name, "%s_one_way_p%u_ms", loop, ps[i]);
        say(name, percentile(both->one_way, n, ps[i]));
    }
}

/* Bytes of a text, one at a time, with what acknowledges it and what the nodes say meanwhile. */
static void wire(struct me *ann, unsigned n) {
    double before = lo_bytes();
    for (unsigned i = 0; i < n; i++) {
        unsigned seen = atomic_load(&both->one_ways);
        uint64_t began = now();
        if (!send_text(ann, ONE_WAY)) fail("a text is not taken");
        while (atomic_load(&both->one_ways) == seen) {
            if (now() - began > PATIENCE) fail("a text does not arrive");
            step(ann);
        }
    }
    say("wire_bytes", (lo_bytes() - before) / n);
}

/* As many texts as it takes; until Bob has the last, and until Ann has the last receipt. */
static void many(struct me *ann, unsigned n) {
    unsigned sent = 0, from = ann->receipts;
    uint64_t began = now();
    while (ann->receipts - from < n || atomic_load(&both->many) < n) {
        if (now() - began > PATIENCE) fail("texts or receipts are missing");
        while (sent < n && send_text(ann, MANY)) sent++;
        step(ann);
    }
    say("sustained_per_s", n / ((double)(atomic_load(&both->last) - began) / 1e9));
    say("sustained_receipted_per_s", n / ((double)(now() - began) / 1e9));
}

static void file(struct me *ann, uint64_t size) {
    uint64_t began = now();
    uint32_t file = tox_file_send(ann->tox, 0, TOX_FILE_KIND_DATA, size, NULL, (const uint8_t *)"noise", 5, NULL);
    if (file == UINT32_MAX) fail("the file is not taken");
    while (!atomic_load(&both->file_done)) {
        if (now() - began > PATIENCE) fail("the file does not arrive");
        step(ann);
    }
    say("file_bytes", (double)size);
    say("file_mb_per_s", (double)size / 1e6 / ((double)(atomic_load(&both->file_done) - began) / 1e9));
}

static void e2e(bool counted, bool smoke) {
    struct me ann;
    pid_t child;
    uint64_t connects[3];
    unsigned rounds = smoke ? 1 : 3;
    for (unsigned i = 0; i < rounds; i++) {
        connects[i] = meet(&ann, &child);
        if (i + 1 < rounds) part(&ann, child);
    }
    say("connects", rounds);
    say("connect_ms", percentile(connects, rounds, 50));
    run_for(&ann, smoke ? SETTLE / 8 : SETTLE);
    echoes(&ann, smoke ? 5 : 200, false);
    echoes(&ann, smoke ? 50 : 1000, true);
    atomic_store(&both->one_ways, 0);
    if (counted) wire(&ann, smoke ? 50 : 500);
    many(&ann, smoke ? 500 : 20000);
    file(&ann, smoke ? 4u << 20 : 256u << 20);
    part(&ann, child);
}

static double seconds(const struct rusage *used) {
    return (double)(used->ru_utime.tv_sec + used->ru_stime.tv_sec) +
           (double)(used->ru_utime.tv_usec + used->ru_stime.tv_usec) / 1e6;
}

static struct rusage bob_used(struct me *ann) {
    atomic_fetch_add(&both->asked, 1);
    for (uint64_t began = now(); atomic_load(&both->answered) != atomic_load(&both->asked); step(ann))
        if (now() - began > PATIENCE) fail("bob does not answer");
    return both->bob_used;
}

/* Two friends who say nothing, a minute of it, in toxcore's own loop. */
static void idle(bool counted, bool smoke) {
    struct me ann;
    pid_t child;
    meet(&ann, &child);
    run_for(&ann, smoke ? SETTLE / 8 : SETTLE);
    struct rusage before, used = bob_used(&ann);
    double bob_before = seconds(&used), bytes = lo_bytes();
    getrusage(RUSAGE_SELF, &before);
    uint64_t began = now();
    run_for(&ann, (smoke ? 2ull : 60ull) * 1000000000ull);
    double minutes = (double)(now() - began) / 60e9;
    struct rusage after;
    getrusage(RUSAGE_SELF, &after);
    bytes = lo_bytes() - bytes;
    used = bob_used(&ann);
    say("idle_s", minutes * 60);
    say("idle_cpu_s_per_min", (seconds(&after) - seconds(&before) + seconds(&used) - bob_before) / 2 / minutes);
    if (counted) say("idle_bytes_per_min", bytes / minutes);
    say("idle_rss_mb", (double)used.ru_maxrss * 1024 / 1e6);
    part(&ann, child);
}

int main(int count, char **args) {
    bool smoke = count > 2 && strcmp(args[2], "--smoke") == 0;
    bool counted = own_network();
    setvbuf(stdout, NULL, _IOLBF, 0);
    both = mmap(NULL, sizeof *both, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (both == MAP_FAILED) fail("no shared memory");
    if (count > 1 && strcmp(args[1], "e2e") == 0) e2e(counted, smoke);
    else if (count > 1 && strcmp(args[1], "idle") == 0) idle(counted, smoke);
    else fail("toxcore e2e|idle [--smoke]");
    return 0;
}
