// The extern "C" functions that libmilter calls.
#pragma once

#include "core/protocol/libmilter.hpp"

namespace pymilter {

// The description for smfi_register. All callbacks are there; what is wanted of them is negotiated per connection.
smfiDesc describe_callbacks() noexcept;

}  // namespace pymilter
