/* The milter protocol as the MTA's side sees it: commands, answers, flags and big-endian lengths. Shared by load.c and sink.c. */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <stdint.h>
#include <stddef.h>

#define ALL_ACTIONS 0x1FFu      /* SMFIF_*: as Postfix offers them */
#define ALL_PROTOCOL 0x1FFFFFu  /* SMFIP_*: NO*, NR_*, SKIP, RCPT_REJ, HDR_LEADSPC; no MDS, as Postfix */

enum protocol {
    NO_CONNECT = 0x1, NO_HELO = 0x2, NO_MAIL = 0x4, NO_RCPT = 0x8, NO_BODY = 0x10, NO_HEADER = 0x20, NO_EOH = 0x40,
    NO_DATA = 0x200, CAN_SKIP = 0x400,
    NR_HEADER = 0x80, NR_CONNECT = 0x1000, NR_HELO = 0x2000, NR_MAIL = 0x4000, NR_RCPT = 0x8000, NR_DATA = 0x10000,
    NR_UNKNOWN = 0x20000, NR_EOH = 0x40000, NR_BODY = 0x80000
};

static inline void put32(unsigned char *to, uint32_t value)
{
    to[0] = (unsigned char)(value >> 24);
    to[1] = (unsigned char)(value >> 16);
    to[2] = (unsigned char)(value >> 8);
    to[3] = (unsigned char)value;
}

static inline uint32_t get32(const unsigned char *from)
{
    return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

#endif
