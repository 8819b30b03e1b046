#include "controller/cli/aws_access.h"

#include "lib/aws/session.h"
#include "lib/http/curl_transport.h"

namespace keyturn::cli {

Result<std::unique_ptr<AwsAccess>> AwsAccess::create(const std::string& region) {
  auto access = std::make_unique<AwsAccess>();
  const aws::Environment env = aws::process_environment();
  auto settings = aws::load_settings(env);
  if (!settings) return std::move(settings).error();
  std::shared_ptr<http::Transport> transport =
      http::make_curl_transport({.max_idle_handles = 2, .user_agent = "keyturn"});
  if (!region.empty()) settings->region = region;
  auto keys = aws::make_default_chain({.transport = transport,
                                       .settings = *settings,
                                       .env = env,
                                       .clock = &access->clock_,
                                       .rng = &access->rng_});
  if (!keys) return std::move(keys).error();
  if (auto usable = (*keys)->get(); !usable) return std::move(usable).error();
  auto session = aws::make_session({.transport = transport,
                                    .credentials = *keys,
                                    .settings = *settings,
                                    .clock = &access->clock_,
                                    .rng = &access->rng_});
  if (!session) return std::move(session).error();
  access->secrets_ = aws::make_secrets_manager(std::move(session).value());
  return access;
}

}  // namespace keyturn::cli
