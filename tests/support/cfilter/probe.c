/*
 * A bare C filter on libmilter whose behaviour is told by its arguments and which writes to stdout what it saw,
 * one line a callback, bytes outside printable ASCII and backslashes as \xNN.
 *
 *   -p ADDRESS        where to listen
 *   -a MASK           the actions to ask for (default 0x1ff, and those that were offered are taken)
 *   -A                ask for the actions even if they are not offered
 *   -P MASK           the protocol bits to ask for
 *   -n                no negotiate callback: xxfi_flags alone
 *   -l STAGE=NAMES    smfi_setsymlist
 *   -r STEP=VERDICT   answer a step with: reject tempfail accept discard skip, or "550 5.7.1 text" (lines apart by |);
 *                     STEP@WORD: only if the first argument contains WORD
 *   -e EDIT|ARG|...   an edit at the end of the message, in the order given
 *   -m STEP=NAME      write the macro NAME at STEP
 *   -x STEP           die in that step
 *   -w STEP           hang in that step
 */
#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <libmilter/mfapi.h>

#define MOST 64

struct list { int count; char *item[MOST]; };

static unsigned long actions = 0x1ff, protocol;
static int insist, no_negotiate;
static struct list symlists, verdicts, edits, macros, deaths, hangs;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void add(struct list *list, char *item)
{
	if (list->count == MOST) {
		fprintf(stderr, "too many options\n");
		exit(64);
	}
	list->item[list->count++] = item;
}

static void put(const char *data, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)data[i];
		if (c < 32 || c > 126 || c == '\\')
			printf("\\x%02x", c);
		else
			putchar(c);
	}
}

static void put_word(const char *text)
{
	printf(" [");
	put(text, strlen(text));
	putchar(']');
}

static void begin(const char *step)
{
	pthread_mutex_lock(&lock);
	printf("%s", step);
}

static void end(void)
{
	putchar('\n');
	fflush(stdout);
	pthread_mutex_unlock(&lock);
}

static int is(const char *item, const char *step)
{
	return strcmp(item, step) == 0;
}

/* The value of "KEY=value" if KEY is `step`, or "step@word" with `word` in `argument`. */
static char *value_of(char *item, const char *step, const char *argument)
{
	char *equal = strchr(item, '=');
	size_t length = strlen(step);
	char word[256];

	if (equal == NULL || strncmp(item, step, length) != 0)
		return NULL;
	if (item + length == equal)
		return equal + 1;
	if (item[length] != '@' || argument == NULL)
		return NULL;
	snprintf(word, sizeof word, "%.*s", (int)(equal - item - length - 1), item + length + 1);
	return strstr(argument, word) != NULL ? equal + 1 : NULL;
}

/* "550 5.7.1 first|second": the parts of a reply, in place. */
static sfsistat reply(SMFICTX *ctx, const char *text)
{
	char copy[4096], *code, *status, *rest, *second, *third;

	snprintf(copy, sizeof copy, "%s", text);
	code = strtok_r(copy, " ", &rest);
	status = *rest == '4' || *rest == '5' ? strtok_r(NULL, " ", &rest) : NULL;
	if ((second = strchr(rest, '|')) == NULL) {
		if (smfi_setreply(ctx, code, status, *rest ? rest : NULL) != MI_SUCCESS)
			printf(" setreply failed");
	} else {
		*second++ = '\0';
		if ((third = strchr(second, '|')) != NULL)
			*third++ = '\0';
		if (smfi_setmlreply(ctx, code, status, rest, second, third, (char *)NULL) != MI_SUCCESS)
			printf(" setmlreply failed");
	}
	return *code == '4' ? SMFIS_TEMPFAIL : SMFIS_REJECT;
}

static sfsistat finish(SMFICTX *ctx, const char *step, const char *argument)
{
	sfsistat answer = SMFIS_CONTINUE;
	char *value;

	for (int i = 0; i < macros.count; i++)
		if ((value = value_of(macros.item[i], step, NULL)) != NULL) {
			char *found = smfi_getsymval(ctx, value);
			printf(" %s=", value);
			if (found == NULL)
				printf("(none)");
			else
				put(found, strlen(found));
		}
	for (int i = 0; i < verdicts.count; i++) {
		if ((value = value_of(verdicts.item[i], step, argument)) == NULL)
			continue;
		if (is(value, "reject"))
			answer = SMFIS_REJECT;
		else if (is(value, "tempfail"))
			answer = SMFIS_TEMPFAIL;
		else if (is(value, "accept"))
			answer = SMFIS_ACCEPT;
		else if (is(value, "discard"))
			answer = SMFIS_DISCARD;
		else if (is(value, "skip"))
			answer = SMFIS_SKIP;
		else
			answer = reply(ctx, value);
	}
	end();
	for (int i = 0; i < deaths.count; i++)
		if (is(deaths.item[i], step))
			_exit(3);
	for (int i = 0; i < hangs.count; i++)
		if (is(hangs.item[i], step))
			for (;;)
				pause();
	return answer;
}

static sfsistat on_connect(SMFICTX *ctx, char *hostname, _SOCK_ADDR *address)
{
	char text[INET6_ADDRSTRLEN];

	begin("connect");
	put_word(hostname);
	if (address == NULL)
		printf(" NULL");
	else if (address->sa_family == AF_INET) {
		struct sockaddr_in *in = (struct sockaddr_in *)address;
		inet_ntop(AF_INET, &in->sin_addr, text, sizeof text);
		printf(" inet %s %d", text, ntohs(in->sin_port));
	} else if (address->sa_family == AF_INET6) {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)address;
		inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof text);
		printf(" inet6 %s %d", text, ntohs(in6->sin6_port));
	} else
		printf(" unix %s", ((struct sockaddr_un *)address)->sun_path);
	return finish(ctx, "connect", hostname);
}

static sfsistat on_helo(SMFICTX *ctx, char *hostname)
{
	begin("helo");
	put_word(hostname);
	return finish(ctx, "helo", hostname);
}

static sfsistat on_words(SMFICTX *ctx, const char *step, char **words)
{
	begin(step);
	for (char **word = words; *word != NULL; word++)
		put_word(*word);
	return finish(ctx, step, *words);
}

static sfsistat on_mail(SMFICTX *ctx, char **words)
{
	return on_words(ctx, "mail", words);
}

static sfsistat on_rcpt(SMFICTX *ctx, char **words)
{
	return on_words(ctx, "rcpt", words);
}

static sfsistat on_data(SMFICTX *ctx)
{
	begin("data");
	return finish(ctx, "data", NULL);
}

static sfsistat on_unknown(SMFICTX *ctx, const char *command)
{
	begin("unknown");
	put_word(command);
	return finish(ctx, "unknown", command);
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
	begin("header");
	put_word(name);
	put_word(value);
	return finish(ctx, "header", name);
}

static sfsistat on_eoh(SMFICTX *ctx)
{
	begin("eoh");
	return finish(ctx, "eoh", NULL);
}

static sfsistat on_body(SMFICTX *ctx, unsigned char *data, size_t length)
{
	unsigned long sum = 0;

	for (size_t i = 0; i < length; i++)
		sum = (sum * 31 + data[i]) % 1000000007ul;
	begin("body");
	printf(" %zu %lu", length, sum);
	if (length <= 64) {
		printf(" [");
		put((char *)data, length);
		putchar(']');
	}
	return finish(ctx, "body", NULL);
}

static int edit(SMFICTX *ctx, const char *text)
{
	char copy[4096], *part[4] = { NULL, NULL, NULL, NULL }, *rest = copy;

	snprintf(copy, sizeof copy, "%s", text);
	for (int i = 0; i < 4 && rest != NULL; i++)
		part[i] = strsep(&rest, "|");
	if (is(part[0], "addheader"))
		return smfi_addheader(ctx, part[1], part[2]);
	if (is(part[0], "insheader"))
		return smfi_insheader(ctx, atoi(part[1]), part[2], part[3]);
	if (is(part[0], "chgheader"))
		return smfi_chgheader(ctx, part[2], atoi(part[1]), part[3]);
	if (is(part[0], "chgfrom"))
		return smfi_chgfrom(ctx, part[1], part[2]);
	if (is(part[0], "addrcpt"))
		return smfi_addrcpt(ctx, part[1]);
	if (is(part[0], "addrcpt_par"))
		return smfi_addrcpt_par(ctx, part[1], part[2]);
	if (is(part[0], "delrcpt"))
		return smfi_delrcpt(ctx, part[1]);
	if (is(part[0], "quarantine"))
		return smfi_quarantine(ctx, part[1]);
	if (is(part[0], "progress"))
		return smfi_progress(ctx);
	if (is(part[0], "replacebody"))
		return smfi_replacebody(ctx, (unsigned char *)part[1], (int)strlen(part[1]));
	if (is(part[0], "bigbody")) {
		int length = atoi(part[1]), result;
		unsigned char *data = malloc((size_t)length);
		memset(data, 'x', (size_t)length);
		result = smfi_replacebody(ctx, data, length);
		free(data);
		return result;
	}
	return MI_FAILURE;
}

static sfsistat on_eom(SMFICTX *ctx)
{
	begin("eom");
	for (int i = 0; i < edits.count; i++)
		if (edit(ctx, edits.item[i]) != MI_SUCCESS)
			printf(" failed: %s", edits.item[i]);
	return finish(ctx, "eom", NULL);
}

static sfsistat on_abort(SMFICTX *ctx)
{
	begin("abort");
	return finish(ctx, "abort", NULL);
}

static sfsistat on_close(SMFICTX *ctx)
{
	begin("close");
	return finish(ctx, "close", NULL);
}

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long f0, unsigned long f1, unsigned long f2, unsigned long f3,
	unsigned long *pf0, unsigned long *pf1, unsigned long *pf2, unsigned long *pf3)
{
	(void)f2;
	(void)f3;
	begin("negotiate");
	printf(" %lx %lx", f0, f1);
	for (int i = 0; i < symlists.count; i++) {
		char *names = strchr(symlists.item[i], '=') + 1;
		if (smfi_setsymlist(ctx, atoi(symlists.item[i]), names) != MI_SUCCESS)
			printf(" failed: %s", symlists.item[i]);
	}
	*pf0 = insist ? actions : actions & f0;
	*pf1 = protocol;
	*pf2 = *pf3 = 0;
	return finish(ctx, "negotiate", NULL);
}

int main(int argc, char **argv)
{
	struct smfiDesc filter = { 0 };
	int option;

	while ((option = getopt(argc, argv, "p:a:AP:nl:r:e:m:x:w:")) != -1)
		switch (option) {
		case 'p': smfi_setconn(optarg); break;
		case 'a': actions = strtoul(optarg, NULL, 0); break;
		case 'A': insist = 1; break;
		case 'P': protocol = strtoul(optarg, NULL, 0); break;
		case 'n': no_negotiate = 1; break;
		case 'l': add(&symlists, optarg); break;
		case 'r': add(&verdicts, optarg); break;
		case 'e': add(&edits, optarg); break;
		case 'm': add(&macros, optarg); break;
		case 'x': add(&deaths, optarg); break;
		case 'w': add(&hangs, optarg); break;
		default: return 64;
		}
	filter.xxfi_name = "probe";
	filter.xxfi_version = SMFI_VERSION;
	filter.xxfi_flags = actions;
	filter.xxfi_connect = on_connect;
	filter.xxfi_helo = on_helo;
	filter.xxfi_envfrom = on_mail;
	filter.xxfi_envrcpt = on_rcpt;
	filter.xxfi_header = on_header;
	filter.xxfi_eoh = on_eoh;
	filter.xxfi_body = on_body;
	filter.xxfi_eom = on_eom;
	filter.xxfi_abort = on_abort;
	filter.xxfi_close = on_close;
	filter.xxfi_unknown = on_unknown;
	filter.xxfi_data = on_data;
	filter.xxfi_negotiate = no_negotiate ? NULL : on_negotiate;
	if (smfi_register(filter) != MI_SUCCESS) {
		fprintf(stderr, "smfi_register failed\n");
		return 70;
	}
	if (smfi_opensocket(1) != MI_SUCCESS) {
		fprintf(stderr, "smfi_opensocket failed\n");
		return 71;
	}
	return smfi_main() == MI_SUCCESS ? 0 : 1;
}
