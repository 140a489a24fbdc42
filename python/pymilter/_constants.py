"""libmilter's constants: the enums of the C++ half, and their members under the classic names."""

from pymilter._core import Action as Action
from pymilter._core import Protocol as Protocol
from pymilter._core import Stage as Stage
from pymilter._core import Status as Status

__all__ = [
    "ACCEPT",
    "ADDHDRS",
    "ADDRCPT",
    "ADDRCPT_PAR",
    "ALL_OPTS",
    "CHGBODY",
    "CHGFROM",
    "CHGHDRS",
    "CONTINUE",
    "DELRCPT",
    "DISCARD",
    "MODBODY",
    "M_CONNECT",
    "M_DATA",
    "M_ENVFROM",
    "M_ENVRCPT",
    "M_EOH",
    "M_EOM",
    "M_HELO",
    "NOREPLY",
    "P_HDR_LEADSPC",
    "P_NOBODY",
    "P_NOCONNECT",
    "P_NODATA",
    "P_NOEOH",
    "P_NOHDRS",
    "P_NOHELO",
    "P_NOMAIL",
    "P_NORCPT",
    "P_NOUNKNOWN",
    "P_NR_BODY",
    "P_NR_CONN",
    "P_NR_DATA",
    "P_NR_EOH",
    "P_NR_HDR",
    "P_NR_HELO",
    "P_NR_MAIL",
    "P_NR_RCPT",
    "P_NR_UNKN",
    "P_RCPT_REJ",
    "P_SKIP",
    "QUARANTINE",
    "REJECT",
    "SETSYMLIST",
    "SKIP",
    "TEMPFAIL",
]

CONTINUE = Status.CONTINUE
REJECT = Status.REJECT
DISCARD = Status.DISCARD
ACCEPT = Status.ACCEPT
TEMPFAIL = Status.TEMPFAIL
NOREPLY = Status.NOREPLY
SKIP = Status.SKIP
ALL_OPTS = Status.ALL_OPTS

ADDHDRS = Action.ADDHDRS
CHGBODY = Action.CHGBODY
MODBODY = Action.CHGBODY
ADDRCPT = Action.ADDRCPT
DELRCPT = Action.DELRCPT
CHGHDRS = Action.CHGHDRS
QUARANTINE = Action.QUARANTINE
CHGFROM = Action.CHGFROM
ADDRCPT_PAR = Action.ADDRCPT_PAR
SETSYMLIST = Action.SETSYMLIST

P_NOCONNECT = Protocol.NOCONNECT
P_NOHELO = Protocol.NOHELO
P_NOMAIL = Protocol.NOMAIL
P_NORCPT = Protocol.NORCPT
P_NOBODY = Protocol.NOBODY
P_NOHDRS = Protocol.NOHDRS
P_NOEOH = Protocol.NOEOH
P_NOUNKNOWN = Protocol.NOUNKNOWN
P_NODATA = Protocol.NODATA
P_SKIP = Protocol.SKIP
P_RCPT_REJ = Protocol.RCPT_REJ
P_HDR_LEADSPC = Protocol.HDR_LEADSPC
P_NR_CONN = Protocol.NR_CONN
P_NR_HELO = Protocol.NR_HELO
P_NR_MAIL = Protocol.NR_MAIL
P_NR_RCPT = Protocol.NR_RCPT
P_NR_DATA = Protocol.NR_DATA
P_NR_UNKN = Protocol.NR_UNKN
P_NR_HDR = Protocol.NR_HDR
P_NR_EOH = Protocol.NR_EOH
P_NR_BODY = Protocol.NR_BODY

M_CONNECT = Stage.CONNECT
M_HELO = Stage.HELO
M_ENVFROM = Stage.ENVFROM
M_ENVRCPT = Stage.ENVRCPT
M_DATA = Stage.DATA
M_EOM = Stage.EOM
M_EOH = Stage.EOH
