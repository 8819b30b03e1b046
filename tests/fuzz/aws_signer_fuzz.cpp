// The SigV4 canonicaliser: whatever the request, the canonical form has its fixed shape.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "lib/aws/signer.h"
#include "lib/base/text.h"

// Input: path, query name, query value, header value, body; separated by '\n'.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace keyturn;
  const auto parts = split({reinterpret_cast<const char*>(data), size}, '\n');
  const auto part = [&](std::size_t i) { return i < parts.size() ? parts[i] : std::string(); };
  const std::string body = part(4);
  aws::SignableRequest request{"POST",
                               part(0),
                               {{part(1), part(2)}, {part(2), part(1)}},
                               {{"Host", "h"}, {"X", part(3)}},
                               body};
  const std::string canonical = aws::canonical_request(request);
  // method, path, query, host, x, blank, names, hash: eight lines, whatever is in the values
  if (std::count(canonical.begin(), canonical.end(), '\n') != 7) std::abort();
  aws::Credentials keys;
  keys.access_key_id = "A";
  keys.secret_access_key = SecretString(part(3));
  aws::sign(
      request, keys,
      {"eu-west-1", "sts", WallTime(Duration(static_cast<std::int64_t>(size) * 1'000'000'000))});
  return 0;
}
