#include "controller/cli/aws_access.h"

#include "lib/aws/session.h"
#include "lib/http/curl_transport.h"

namespace keyturn::cli {
namespace {

class AllowsAll final : public engine::AccessGuard {
 public:
  Status secret(std::string_view, std::string_view) const override { return {}; }
  Status resource(std::string_view) const override { return {}; }
  Status backend(std::string_view) const override { return {}; }
};

// Every request ends soon after the stop, whoever sends it.
class StoppableTransport final : public http::Transport {
 public:
  StoppableTransport(std::shared_ptr<http::Transport> inner, std::stop_token stop)
      : inner_(std::move(inner)), stop_(std::move(stop)) {}

  Result<http::Response> send(const http::Request& request) override {
    return inner_->send(stoppable(request));
  }
  Result<http::Response> stream(const http::Request& request,
                                const std::function<bool(std::string_view)>& on_data) override {
    return inner_->stream(stoppable(request), on_data);
  }

 private:
  http::Request stoppable(http::Request request) const {
    request.stop = stop_;
    return request;
  }

  const std::shared_ptr<http::Transport> inner_;
  const std::stop_token stop_;
};

}  // namespace

Result<std::unique_ptr<AwsAccess>> AwsAccess::create(const AwsOptions& options) {
  auto access = std::make_unique<AwsAccess>();
  const aws::Environment env = aws::process_environment();
  auto settings = aws::load_settings(env);
  if (!settings) return std::move(settings).error();
  access->transport_ = http::make_curl_transport({.max_idle_handles = 2, .user_agent = "keyturn"});
  if (options.stop.stop_possible()) {
    access->transport_ =
        std::make_shared<StoppableTransport>(std::move(access->transport_), options.stop);
  }
  access->guard_ = options.guard ? options.guard : std::make_shared<const AllowsAll>();
  access->request_deadline_ = options.request_deadline;
  if (!options.region.empty()) settings->region = options.region;
  if (!options.endpoint_url.empty()) settings->endpoint_urls = {{"", options.endpoint_url}};
  auto keys = aws::make_default_chain({.transport = access->transport_,
                                       .settings = *settings,
                                       .env = env,
                                       .clock = &access->clock_,
                                       .rng = &access->rng_});
  if (!keys) return std::move(keys).error();
  if (auto usable = (*keys)->get(); !usable) return std::move(usable).error();
  auto session = aws::make_session({.transport = access->transport_,
                                    .credentials = *keys,
                                    .settings = *settings,
                                    .clock = &access->clock_,
                                    .rng = &access->rng_,
                                    .request_timeout = options.request_deadline,
                                    .stop = options.stop});
  if (!session) return std::move(session).error();
  access->secrets_ = aws::make_secrets_manager(*session);
  access->admin_ = aws::make_secrets_admin(*session);
  access->timestream_ = aws::make_timestream_influxdb(*session);
  access->elasticache_ = aws::make_elasticache(*session);
  return access;
}

engine::StrategyDeps AwsAccess::strategy_deps() {
  return {.transport = transport_,
          .secrets = secrets_.get(),
          .timestream = timestream_.get(),
          .elasticache = elasticache_.get(),
          .guard = guard_,
          .clock = &clock_,
          .request_timeout = request_deadline_};
}

}  // namespace keyturn::cli
