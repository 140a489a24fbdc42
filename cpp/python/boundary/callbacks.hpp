// The extern "C" functions that libmilter calls.
#pragma once

#include "core/protocol/libmilter.hpp"

namespace pymilter {

// The description for smfi_register. It has every callback; each connection negotiates which of them it wants.
smfiDesc describe_callbacks() noexcept;

}  // namespace pymilter
