// ElastiCache's replies, and Redis' to a login. A user that is accepted has a name and a number of
// passwords; a login is never taken for a yes without +OK.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "lib/aws/elasticache_codec.h"
#include "lib/engine/strategies/elasticache_secret.h"
#include "lib/engine/strategies/redis_login.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace keyturn;
  const std::string body(reinterpret_cast<const char*>(data), size);
  for (const auto& user : {aws::decode_described_user(body), aws::decode_modified_user(body)}) {
    if (user && (user->name.empty() || user->arn.empty() || user->password_count < 0)) std::abort();
  }
  const auto group = aws::decode_replication_group(body);
  if (group) {
    for (const auto& endpoint : group->primaries) {
      if (endpoint.host.empty() || endpoint.port < 1 || endpoint.port > 65'535) std::abort();
    }
  }
  (void)aws::decode_user_group(body);
  const auto login = engine::judge_redis_login(body, "host:1");
  if (login.verdict == engine::Verdict::Accepted && !body.starts_with("+OK\r\n")) std::abort();
  const auto secret = engine::elasticache::UserSecret::read(SecretString(body), {});
  if (secret && (secret->arn.id.empty() || secret->name.empty())) std::abort();
  return 0;
}
