"""Functions only: what each callback gets goes to stdout, and a message is changed in each way that there is."""
# mypy: ignore-errors
# As classic programs are written: without types, for both versions.

import sys

import milter

# What the context has besides since 1.9.
NEW = ("actions", "id", "peer", "protocol", "queue_id")


def say(*items):
    print(*items, flush=True)


def connect(ctx, hostname, family, hostaddr):
    ctx.setpriv([])
    say([name for name in dir(ctx) if not name.startswith("_") and name not in NEW])
    say("connect", hostname, int(family), hostaddr, ctx.getsymval("j"), ctx.getsymval("{no_such}"))
    return milter.REJECT if hostname == "refused.example" else milter.CONTINUE


def helo(ctx, name):
    say("helo", name)
    return milter.CONTINUE


def envfrom(ctx, sender, *params):
    ctx.getpriv().append(sender)
    say("envfrom", sender, params, ctx.getsymval("{mail_addr}"))
    if sender == b"<later@example.org>":
        ctx.setreply("451", "4.7.1", "come back later", "and be patient")
        return milter.TEMPFAIL
    return milter.CONTINUE


def envrcpt(ctx, recipient, *params):
    say("envrcpt", recipient, params)
    if recipient == b"<nobody@example.net>":
        ctx.setreply("550", "5.1.1", "no such user")
        return milter.REJECT
    return milter.CONTINUE


def data(ctx):
    say("data", ctx.getsymval("i"))
    return milter.CONTINUE


def header(ctx, name, value):
    say("header", name, value)
    return milter.DISCARD if name == "X-Discard" else milter.CONTINUE


def eoh(ctx):
    say("eoh")
    return milter.CONTINUE


def body(ctx, chunk):
    say("body", len(chunk), chunk[:20])
    return milter.CONTINUE


def eom(ctx):
    say("eom", ctx.getpriv())
    ctx.addheader("X-Added", "one")
    ctx.addheader("X-First", "two\n\tfolded", 0)
    ctx.chgheader("Subject", 1, "changed")
    ctx.chgheader("X-Gone", 1, None)
    ctx.addrcpt("<more@example.net>")
    ctx.addrcpt("<par@example.net>", "NOTIFY=NEVER")
    ctx.delrcpt("<first@example.net>")
    ctx.chgfrom("<new@example.org>", "RET=HDRS")
    ctx.replacebody(b"bytes\r\n")
    ctx.replacebody("text\r\n")
    ctx.quarantine("look at it")
    ctx.progress()
    return milter.ACCEPT


def abort(ctx):
    say("abort", ctx.getpriv())
    return milter.CONTINUE


def close(ctx):
    say("close", ctx.setpriv(None))
    return milter.CONTINUE


def unknown(ctx, command):
    say("unknown", command)
    return milter.CONTINUE


def negotiate(ctx, options):
    say("negotiate", len(options), options[0] & 0x1FF, options[2:])
    options[1] = milter.P_SKIP
    options[2] = options[3] = 0
    return milter.CONTINUE


milter.set_connect_callback(connect)
milter.set_helo_callback(helo)
milter.set_envfrom_callback(envfrom)
milter.set_envrcpt_callback(envrcpt)
milter.set_header_callback(header)
milter.set_eoh_callback(eoh)
milter.set_body_callback(body)
milter.set_eom_callback(eom)
milter.set_abort_callback(abort)
milter.set_close_callback(close)
milter.set_flags(milter.ADDHDRS)
milter.set_exception_policy(milter.TEMPFAIL)
milter.register("low", data=data, unknown=unknown, negotiate=negotiate)
milter.setconn(sys.argv[1])
milter.settimeout(240)
milter.setbacklog(5)
milter.opensocket(True)
say("main", milter.main(), milter.getversion()[0])
