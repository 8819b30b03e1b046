// IMF-fixdate (RFC 9110), as in Date and in a cookie's Expires. Thread rule: pure function.
#pragma once

#include <string>

#include "lib/base/clock.h"

namespace keyturn::sandbox {

std::string http_date(WallTime time);

}  // namespace keyturn::sandbox
