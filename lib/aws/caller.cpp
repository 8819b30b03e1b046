#include "lib/aws/caller.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "lib/base/log.h"
#include "lib/base/text.h"

namespace keyturn::aws {
namespace {

constexpr std::size_t kMaxReplyBytes =
    16u << 20;  // a page of 100 secrets with all their tags is far smaller
// AWS accepts a signature within five minutes of its own time.
constexpr Duration kToleratedSkew = std::chrono::minutes(4);

std::optional<WallTime> date_of(const http::Headers& headers) {
  const std::string* date = http::find_header(headers, "Date");
  return date == nullptr ? std::nullopt : http::parse_http_date(trim(*date));
}

// x-amz-retry-after is in milliseconds; the standard header is understood as well.
std::optional<Duration> delay_asked_for(const http::Headers& headers, WallTime now) {
  const std::string* milliseconds = http::find_header(headers, "x-amz-retry-after");
  if (milliseconds == nullptr) return http::retry_after(headers, now);
  if (milliseconds->empty() || milliseconds->size() > 7) return std::nullopt;
  Duration::rep count = 0;
  for (char c : *milliseconds) {
    if (c < '0' || c > '9') return std::nullopt;
    count = count * 10 + (c - '0');
  }
  return Duration(count);
}

struct SplitUrl {
  std::string host;  // as in the Host header: no port when it is the scheme's own
  std::string path;  // ends with '/'
};

SplitUrl split_endpoint(std::string_view url) {
  const bool tls = url.starts_with("https://");
  const std::string_view rest = url.substr(url.find("://") + 3);
  const auto slash = rest.find('/');
  std::string_view host = rest.substr(0, slash);
  const std::string_view own_port = tls ? ":443" : ":80";
  if (host.ends_with(own_port)) host.remove_suffix(own_port.size());
  const std::string_view path = slash == std::string_view::npos ? "" : rest.substr(slash);
  return {std::string(host), std::string(path) + "/"};
}

bool never_left(const Error& error) {
  return error.code == "Connect" || error.code == "Resolve" || error.code == "Tls" ||
         error.code == "DeadlineOver" ||
         (error.cls == ErrorClass::Invalid && error.code != "TooLarge");
}

}  // namespace

struct Session::Wire {
  SignableRequest signable;  // body: a view of request.body
  http::Request request;

  Wire() = default;
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;
  ~Wire() {
    cleanse(request.body);
    for (auto* headers : {&signable.headers, &request.headers}) {
      for (auto& header : *headers) cleanse(header.second);
    }
  }
};

struct Session::Failure {
  explicit Failure(Error e) : error(std::move(e)) {}

  Error error;
  Remedy remedy = Remedy::None;
  bool sent = true;         // false: this try never reached the transport
  bool maybe_done = false;  // the service may have carried it out
  std::optional<Duration> asked_for;
  std::optional<WallTime> date;
  std::shared_ptr<const Credentials> used;
};

Call json_call(std::string service, const std::string& target_prefix, std::string operation,
               std::string subject, std::string body) {
  Call call;
  call.service = std::move(service);
  call.target = target_prefix + "." + operation;
  call.operation = std::move(operation);
  call.subject = std::move(subject);
  call.content_type = "application/x-amz-json-1.1";
  call.body = std::move(body);
  return call;
}

Call query_call(std::string service, std::string operation, const std::string& version,
                std::string subject, QueryParameters parameters) {
  parameters.insert(parameters.begin(), {{"Action", operation}, {"Version", version}});
  Call call;
  call.service = std::move(service);
  call.operation = std::move(operation);
  call.subject = std::move(subject);
  call.content_type = "application/x-www-form-urlencoded; charset=utf-8";
  call.body = encode_parameters(parameters);
  for (auto& parameter : parameters) cleanse(parameter.second);
  return call;
}

Session::Session(SessionOptions options)
    : options_(std::move(options)),
      region_(options_.region.empty() ? options_.settings.region : options_.region) {
  if (!options_.settings.ca_bundle_pem.empty()) {
    auto tls = std::make_shared<http::TlsConfig>();
    tls->ca_pem = options_.settings.ca_bundle_pem;
    tls_ = std::move(tls);
  }
}

Result<Reply> Session::call(Call call) {
  Wire wire;
  if (Status ready = prepare(call, wire); !ready) {
    cleanse(call.body);
    return ready.error();
  }
  return attempts(call, wire);
}

Status Session::prepare(Call& call, Wire& wire) const {
  const Result<std::string> endpoint = endpoint_for(options_.settings, call.service, region_);
  if (!endpoint) return endpoint.error().with_context(context(call));
  const SplitUrl url = split_endpoint(*endpoint);
  wire.request.method = wire.signable.method = "POST";
  wire.request.url = *endpoint + "/";
  wire.request.tls = tls_;
  wire.request.sensitive = true;
  wire.request.stop = options_.stop;
  wire.request.max_reply_bytes = kMaxReplyBytes;
  wire.request.body.swap(call.body);
  cleanse(call.body);
  wire.signable.path = url.path;
  wire.signable.body = wire.request.body;
  // The transport adds its user agent, which is not signed.
  wire.signable.headers = {{"Host", url.host}, {"Content-Type", call.content_type}};
  if (!call.target.empty()) wire.signable.headers.emplace_back("X-Amz-Target", call.target);
  return {};
}

Result<Reply> Session::attempts(const Call& call, Wire& wire) {
  const MonoTime deadline = options_.clock->mono() + options_.call_timeout;
  std::optional<Failure> last;
  bool maybe_done = false;
  bool fresh_keys_tried = false;
  bool clock_corrected = false;
  int paid = 0;
  // A write that may have been carried out must not look as if it surely was not.
  const auto conclude = [&](Error error) {
    if (call.mutates && maybe_done && error.cls != ErrorClass::Conflict &&
        error.cls != ErrorClass::Transient) {
      error.cls = ErrorClass::Transient;
      error.message += " (an earlier try may have been carried out)";
    }
    return error;
  };
  for (int tries = 1;;) {
    Reply reply;
    std::optional<Failure> failure = try_once(call, wire, deadline, reply);
    if (!failure) {
      budget_.give(paid > 0 ? paid : RetryBudget::kSuccessIncome);
      return reply;
    }
    if (!failure->sent && last) return conclude(std::move(last->error));
    maybe_done = maybe_done || failure->maybe_done;
    bool fresh = false;
    if (failure->remedy == Remedy::FreshCredentials && !fresh_keys_tried && failure->used) {
      auto renewed = refresh_credentials(*failure->used);
      if (!renewed) return conclude(renewed.error().with_context(context(call)));
      fresh = *renewed;
    }
    if (fresh) {
      fresh_keys_tried = true;
    } else if (failure->remedy == Remedy::CorrectClock && !clock_corrected &&
               correct_clock(failure->date)) {
      clock_corrected = true;
    } else if (!pay_and_wait(*failure, tries++, deadline, paid)) {
      return conclude(std::move(failure->error));
    }
    last = std::move(failure);
  }
}

std::optional<Session::Failure> Session::try_once(const Call& call, Wire& wire, MonoTime deadline,
                                                  Reply& reply) {
  std::shared_ptr<const Credentials> keys;
  if (call.is_signed) {
    auto got = options_.credentials->get();
    if (!got) {
      Failure failure(got.error().with_context(context(call)));
      failure.sent = false;
      return failure;
    }
    keys = *got;
    sign(wire.signable, *keys,
         {region_, call.service, options_.clock->now() + Duration(clock_offset_.load())});
  }
  wire.request.headers = wire.signable.headers;
  const MonoTime start = options_.clock->mono();
  wire.request.timeout = std::clamp(deadline - start, Duration(1), options_.request_timeout);
  wire.request.connect_timeout = std::min(wire.request.connect_timeout, wire.request.timeout);
  if (auto refused =
          refusal(call, deadline)) {  // nothing that may block stands between this and the send
    Failure failure(std::move(*refused));
    failure.sent = false;
    return failure;
  }
  Result<http::Response> response = options_.transport->send(wire.request);
  if (!response) {
    observe(call, response.error().code, start);
    return judge_transport(call, std::move(response).error());
  }
  if (response->status >= 200 && response->status < 300) {
    observe(call, "ok", start);
    reply.body = std::move(response->body);
    reply.date = date_of(response->headers);
    return std::nullopt;
  }
  Failure failure = judge_reply(call, *response);
  observe(call, failure.error.code, start);
  failure.used = std::move(keys);
  return failure;
}

std::optional<Error> Session::refusal(const Call& call, MonoTime deadline) const {
  if (options_.stop.stop_requested()) {
    return make_error(ErrorClass::Unavailable, "Cancelled",
                      context(call) + ": not sent, shutting down");
  }
  if (call.not_after && options_.clock->mono() > *call.not_after) {
    return make_error(ErrorClass::Unavailable, "ViewTooOld",
                      context(call) + ": not sent, what it was planned from is too old to act on");
  }
  if (options_.clock->mono() >= deadline) {
    return make_error(ErrorClass::Unavailable, "DeadlineOver",
                      context(call) + ": not sent, getting AWS keys took all the time there was");
  }
  return std::nullopt;
}

Session::Failure Session::judge_transport(const Call& call, Error error) const {
  Failure failure(std::move(error).with_context(context(call)));
  failure.maybe_done = !never_left(failure.error);
  if (failure.error.cls == ErrorClass::Transient) {
    failure.remedy = failure.error.code == "Timeout" ? Remedy::RetryTimeout : Remedy::Retry;
  } else if (call.mutates && failure.maybe_done) {
    failure.error.cls =
        ErrorClass::Transient;  // cancelled under way, or a reply that was too large
  }
  return failure;
}

Session::Failure Session::judge_reply(const Call& call, const http::Response& response) const {
  const ServiceError said = call.target.empty() ? parse_query_error(response.status, response.body)
                                                : parse_json_error(response.status, response.body);
  const Verdict verdict = judge(said.code, response.status);
  std::string text = context(call) + ": ";
  const bool repeats =
      std::any_of(call.withheld.begin(), call.withheld.end(), [&](const SecretString* secret) {
        return !secret->empty() && said.message.find(secret->reveal()) != std::string::npos;
      });
  if (repeats) {
    text += "(the service's message is withheld: it repeats the value)";
  } else if (said.message.empty()) {
    text += "HTTP status " + std::to_string(response.status) + " without an explanation";
  } else {
    text += printable(said.message, 400);
  }
  const std::string* id = http::find_header(response.headers, "x-amzn-RequestId");
  const std::string request_id = id != nullptr ? *id : said.request_id;
  if (!request_id.empty()) text += " (request " + printable(request_id, 64) + ")";

  Failure failure(make_error(verdict.cls, printable(said.code, 100), std::move(text)));
  if (call.lost_race != nullptr && call.lost_race(said)) failure.error.cls = ErrorClass::Conflict;
  failure.remedy = verdict.remedy;
  failure.maybe_done = verdict.cls == ErrorClass::Transient;
  failure.date = date_of(response.headers);
  failure.asked_for = delay_asked_for(response.headers, options_.clock->now());
  if (verdict.cls == ErrorClass::Throttled) failure.error.retry_after = failure.asked_for;
  return failure;
}

// The request was refused as one from another time. True: our offset was wrong and is right now.
bool Session::correct_clock(std::optional<WallTime> date) {
  if (!date) return false;
  const WallTime now = options_.clock->now();
  const Duration error = *date - (now + Duration(clock_offset_.load()));
  if (std::chrono::abs(error) <= kToleratedSkew) return false;
  clock_offset_.store((*date - now).count());
  log::warn("this machine's clock differs from AWS's; requests are signed with AWS's time",
            {{"offset", std::to_string((*date - now).count() / 1000) + "s"}, {"region", region_}});
  return true;
}

// False: fixed keys come back as they were; sending them again would only be refused again. An
// error: why there are no others tells more than that these are refused.
Result<bool> Session::refresh_credentials(const Credentials& refused) {
  options_.credentials->invalidate(refused);
  const auto got = options_.credentials->get();
  if (!got) return got.error();
  return (*got)->access_key_id != refused.access_key_id ||
         !((*got)->session_token == refused.session_token);
}

bool Session::pay_and_wait(const Failure& failure, int tries, MonoTime deadline, int& paid) {
  const bool retryable = failure.remedy == Remedy::Retry ||
                         failure.remedy == Remedy::RetryTimeout ||
                         failure.remedy == Remedy::RetryThrottled;
  if (!retryable || tries >= options_.settings.max_attempts || options_.stop.stop_requested())
    return false;
  const Duration delay = retry_delay(tries - 1, *options_.rng, failure.asked_for);
  if (options_.clock->mono() + delay >= deadline) return false;
  const int cost =
      failure.remedy == Remedy::RetryTimeout ? RetryBudget::kTimeoutCost : RetryBudget::kRetryCost;
  if (!budget_.take(cost)) return false;
  paid = cost;
  wait(delay);
  return true;
}

void Session::wait(Duration how_long) {
  if (options_.wait) {
    options_.wait(how_long);
    return;
  }
  std::mutex mutex;
  std::condition_variable woken;
  const std::stop_callback on_stop(options_.stop, [&] {
    const std::lock_guard lock(mutex);
    woken.notify_all();
  });
  const MonoTime until = options_.clock->mono() + how_long;
  std::unique_lock lock(mutex);
  while (!options_.stop.stop_requested() && options_.clock->mono() < until) {
    options_.clock->wait_until(lock, woken, until);
  }
}

void Session::observe(const Call& call, std::string_view code, MonoTime since) const {
  if (options_.observer == nullptr) return;
  options_.observer->on_request(call.service, call.operation, code, options_.clock->mono() - since);
}

std::string Session::context(const Call& call) const {
  std::string out = call.operation;
  if (!call.subject.empty()) out += " " + printable(call.subject, 200);
  return out + " in " + region_;
}

Result<std::shared_ptr<Session>> make_session(SessionOptions options) {
  if (!options.transport || !options.credentials || options.clock == nullptr ||
      options.rng == nullptr) {
    return invalid("SessionOptions", "an AWS session needs transport, credentials, clock and rng");
  }
  const std::string& region = options.region.empty() ? options.settings.region : options.region;
  if (region.empty()) {
    return invalid("NoRegion",
                   "no AWS region: set it in the policy (spec.region), or AWS_REGION, or `region` "
                   "in the profile");
  }
  if (!is_region(region)) {
    return invalid("BadRegion",
                   "\"" + printable(region, 60) + "\" is not an AWS region such as eu-west-1");
  }
  return std::make_shared<Session>(std::move(options));
}

}  // namespace keyturn::aws
