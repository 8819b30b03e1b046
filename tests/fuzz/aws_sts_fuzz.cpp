// STS replies. What is accepted is complete.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "lib/aws/sts.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  for (const char* operation : {"AssumeRole", "AssumeRoleWithWebIdentity"}) {
    std::string xml(reinterpret_cast<const char*>(data), size);
    const auto keys = keyturn::aws::parse_sts_reply(xml, operation);
    if (!keys) continue;
    if (keys->access_key_id.empty() || keys->secret_access_key.empty() || !keys->expiration)
      std::abort();
  }
  return 0;
}
