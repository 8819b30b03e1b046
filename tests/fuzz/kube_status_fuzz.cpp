// Bodies of failed requests: any bytes give a code and a bounded message.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <string>

#include "controller/kube/status.h"
#include "lib/base/text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr int kCodes[] = {302, 400, 401, 403, 404, 409, 410, 422, 429, 500, 503, 504};
  if (size == 0) return 0;
  keyturn::http::Response reply;
  reply.status = kCodes[data[0] % std::size(kCodes)];
  reply.body.assign(reinterpret_cast<const char*>(data) + 1, size - 1);
  const keyturn::Error error = keyturn::kube::error_from_reply(reply, keyturn::WallTime{});
  if (error.code.empty() || error.message.empty() || error.message.size() > 1200) std::abort();
  if (!keyturn::is_utf8(error.message)) std::abort();
  if (reply.status == 410 && !keyturn::kube::is_expired(error)) std::abort();
  return 0;
}
