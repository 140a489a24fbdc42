// The only include of libmilter's header; C linkage comes with it.
#pragma once

#include <libmilter/mfapi.h>
