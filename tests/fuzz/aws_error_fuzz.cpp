// Error bodies of AWS services, JSON and XML: any bytes give a code, never a crash.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "lib/aws/errors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  for (const auto& said :
       {keyturn::aws::parse_json_error(400, body), keyturn::aws::parse_query_error(503, body)}) {
    if (said.code.empty()) std::abort();
    (void)keyturn::aws::judge(said.code, 400);
  }
  return 0;
}
