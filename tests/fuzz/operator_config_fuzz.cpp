// parse_operator_config(): any text gives a config or complaints that each name the file, and rules
// that can be asked.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "controller/rotation/operator_config.h"
#include "lib/base/text.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto config = keyturn::rotation::parse_operator_config(text, "f.yaml");
  if (!config) {
    for (const auto& line : keyturn::split(config.error().message, '\n'))
      require(line.starts_with("f.yaml:"));
    return 0;
  }
  require(config->request_deadline >= keyturn::Duration(100) && config->sync_workers > 0 &&
          config->rotation_workers > 0);
  constexpr const char* kArn = "arn:aws:secretsmanager:eu-west-1:1:secret:shop/db-AbCdEf";
  const auto& access = config->access;
  // What is allowed in the end must not have been refused before it was resolved.
  if (access.secret("shop", "shop/db", kArn)) {
    require(access.might_touch_secret("shop", "shop/db") &&
            access.might_touch_secret("shop", kArn));
  }
  (void)access.resource("shop", "arn:aws:elasticache:eu-west-1:1:user:a");
  (void)access.backend("shop", "Db.internal:5432");
  (void)access.role("shop", "arn:aws:iam::1:role/r");
  return 0;
}
