/* An echo canceller for the baresip of Debian 12, whose package ships none: SpeexDSP's, with its residual suppressor and
 * denoiser, over 64 ms, as a filter module. Made by the bench, for the bench; it is no part of the product.
 *
 *   gcc -shared -fPIC -O2 -o speexdsp.so baresip_aec.c -lspeexdsp
 *
 * baresip has no development package; what stands here of its module interface is that of version 1.0.0. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <speex/speex_echo.h>
#include <speex/speex_preprocess.h>

#define RATE 8000
#define FRAME 160
#define TAIL 512

struct le { struct le *prev, *next; void *list, *data; };
struct auframe { int fmt; int16_t *sampv; size_t sampc; };
struct state { SpeexEchoState *echo; SpeexPreprocessState *pre; int16_t out[FRAME]; };
struct side { const void *af; struct le le; struct state *state; };
struct filter {
	struct le le;
	const char *name;
	int (*enc_update)(struct side **, void **, const void *, void *, const void *);
	int (*enc)(struct side *, struct auframe *);
	int (*dec_update)(struct side **, void **, const void *, void *, const void *);
	int (*dec)(struct side *, struct auframe *);
};
struct module { const char *name, *type; int (*init)(void); int (*close)(void); };

void *mem_zalloc(size_t size, void (*destroy)(void *));
void *mem_ref(void *data);
void *mem_deref(void *data);
void list_unlink(struct le *le);
void *baresip_aufiltl(void);
void aufilt_register(void *list, struct filter *filter);
void aufilt_unregister(struct filter *filter);

static void state_destroy(void *data)
{
	struct state *state = data;
	if (state->pre)
		speex_preprocess_state_destroy(state->pre);
	if (state->echo)
		speex_echo_state_destroy(state->echo);
}

static void side_destroy(void *data)
{
	struct side *side = data;
	list_unlink(&side->le);
	mem_deref(side->state);
}

/* Both directions of a call share the state that hangs on the context. */
static int update(struct side **sidep, void **ctx, const void *af, void *prm, const void *au)
{
	(void)af, (void)prm, (void)au;
	if (*sidep)
		return 0;
	struct side *side = mem_zalloc(sizeof(*side), side_destroy);
	if (!side)
		return ENOMEM;
	if (*ctx) {
		side->state = mem_ref(*ctx);
	} else {
		int rate = RATE;
		struct state *state = mem_zalloc(sizeof(*state), state_destroy);
		if (!state) {
			mem_deref(side);
			return ENOMEM;
		}
		state->echo = speex_echo_state_init(FRAME, TAIL);
		state->pre = speex_preprocess_state_init(FRAME, RATE);
		speex_echo_ctl(state->echo, SPEEX_ECHO_SET_SAMPLING_RATE, &rate);
		speex_preprocess_ctl(state->pre, SPEEX_PREPROCESS_SET_ECHO_STATE, state->echo);
		side->state = *ctx = state;
	}
	*sidep = side;
	return 0;
}

static int enc(struct side *side, struct auframe *frame)
{
	struct state *state = side->state;
	if (frame->sampc != FRAME)
		return frame->sampc ? EINVAL : 0;
	speex_echo_capture(state->echo, frame->sampv, state->out);
	speex_preprocess_run(state->pre, state->out);
	__builtin_memcpy(frame->sampv, state->out, sizeof(state->out));
	return 0;
}

static int dec(struct side *side, struct auframe *frame)
{
	if (frame->sampc == FRAME)
		speex_echo_playback(side->state->echo, frame->sampv);
	return 0;
}

static struct filter filter = { { 0 }, "speexdsp", update, enc, update, dec };

static int start(void)
{
	aufilt_register(baresip_aufiltl(), &filter);
	return 0;
}

static int stop(void)
{
	aufilt_unregister(&filter);
	return 0;
}

const struct module exports = { "speexdsp", "filter", start, stop };
