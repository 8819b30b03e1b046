#include "lib/http/breaker.h"

#include <algorithm>
#include <condition_variable>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "lib/base/log.h"
#include "lib/base/mutex.h"
#include "lib/base/secret_string.h"
#include "lib/http/url.h"

namespace keyturn::http {
namespace {

// Servers that are remembered; beyond it all are forgotten that nothing is known against.
constexpr std::size_t kManyHosts = 1000;

class Breaker final : public Transport {
 public:
  Breaker(std::shared_ptr<Transport> inner, Clock& clock, Rng& jitter, BreakerOptions options)
      : inner_(std::move(inner)), clock_(clock), jitter_(jitter), options_(std::move(options)) {}

  Result<Response> send(const Request& request) override {
    return guarded(request, [this](const Request& r) { return inner_->send(r); });
  }
  Result<Response> stream(const Request& request,
                          const std::function<bool(std::string_view)>& on_data) override {
    return guarded(request, [&](const Request& r) { return inner_->stream(r, on_data); });
  }

 private:
  enum class End { Reply, NoReply, Neither };
  struct Host {
    std::vector<MonoTime> began;    // exchanges in flight, oldest first
    int failures = 0;               // in a row
    std::optional<MonoTime> heard;  // the last reply
    std::string last;               // how the last one failed
    MonoTime open_until{};
  };
  // One exchange in flight, until it goes out of scope.
  struct Entry {
    Breaker& breaker;
    std::string authority;
    MonoTime began;
    bool probe;
    End end = End::Neither;
    std::string code{};
    ~Entry() { breaker.leave(*this); }
  };

  template <class Exchange>
  Result<Response> guarded(const Request& request, const Exchange& exchange);
  Result<std::unique_ptr<Entry>> enter(const Request& request, std::string authority);
  void leave(const Entry& entry);
  void failed_locked(const std::string& authority, Host& host, const std::string& code)
      KT_REQUIRES(mutex_);
  Error refusal_locked(const std::string& authority, const Host& host, Duration wait)
      KT_REQUIRES(mutex_);
  void forget_some_locked(MonoTime now) KT_REQUIRES(mutex_);
  // By the clock: a connection that is not made in time is another error than a reply.
  bool was_cut_short(const Request& request, MonoTime asked) const {
    return options_.enough && request.timeout < options_.enough() &&
           clock_.mono() - asked >= request.timeout;
  }
  Duration part_of(Duration d) {
    return Duration(
        static_cast<Duration::rep>(jitter_.below(static_cast<std::uint64_t>(d.count()) + 1)));
  }

  const std::shared_ptr<Transport> inner_;
  Clock& clock_;
  Rng& jitter_;
  const BreakerOptions options_;
  Mutex mutex_;
  std::condition_variable left_;
  std::unordered_map<std::string, Host> hosts_ KT_GUARDED_BY(mutex_);
  int probes_ KT_GUARDED_BY(mutex_) = 0;
};

void wipe(Request& request) {
  for (auto& header : request.headers) cleanse(header.second);
  cleanse(request.body);
}

template <class Exchange>
Result<Response> Breaker::guarded(const Request& request, const Exchange& exchange) {
  auto url = parse_url(request.url);
  if (!url) return exchange(request);  // says what is wrong with it
  const MonoTime asked = clock_.mono();
  auto entry = enter(request, url->authority());
  if (!entry) return std::move(entry).error();
  const Duration waited = (*entry)->began - asked;
  Result<Response> result = [&] {
    if (waited <= Duration(0) || request.timeout == Duration::max()) return exchange(request);
    Request shorter = request;
    shorter.timeout -= waited;
    Result<Response> replied = exchange(shorter);
    if (request.sensitive) wipe(shorter);
    return replied;
  }();
  if (result) {
    (*entry)->end = End::Reply;
  } else if (result.error().cls == ErrorClass::Transient && !was_cut_short(request, asked)) {
    (*entry)->end = End::NoReply;
    (*entry)->code = result.error().code;
  }
  return result;
}

Result<std::unique_ptr<Breaker::Entry>> Breaker::enter(const Request& request,
                                                       std::string authority) {
  MutexLock lock(mutex_);
  for (;;) {
    const MonoTime now = clock_.mono();
    forget_some_locked(now);
    Host& host = hosts_[authority];  // anew each time: it may have gone while we waited
    const bool probe = host.failures > 0;
    const bool known = !probe && host.heard && now - *host.heard < options_.remembered;
    const auto limit = static_cast<std::size_t>(known ? options_.per_host : 1);
    const bool full = host.began.size() >= limit || (probe && probes_ >= options_.probes);
    if (request.takes_back || (now >= host.open_until && !full)) {
      host.began.push_back(now);
      if (probe) ++probes_;
      return std::unique_ptr<Entry>(new Entry{*this, std::move(authority), now, probe});
    }
    if (now < host.open_until) return refusal_locked(authority, host, host.open_until - now);
    if (probe) {
      const bool here = !host.began.empty();
      return refusal_locked(authority, host,
                            here && request.timeout != Duration::max()
                                ? host.began.front() + request.timeout - now
                                : options_.first_pause);
    }
    const MonoTime until = host.began.front() + options_.patience;
    if (now >= until) return refusal_locked(authority, host, options_.patience);
    clock_.wait_until(lock.native(), left_, until);
  }
}

void Breaker::leave(const Entry& entry) {
  const MutexLock lock(mutex_);
  if (entry.probe) --probes_;
  Host& host = hosts_.at(entry.authority);
  host.began.erase(std::find(host.began.begin(), host.began.end(), entry.began));
  if (entry.end == End::NoReply) failed_locked(entry.authority, host, entry.code);
  if (entry.end == End::Reply) {
    if (host.failures >= options_.failures)
      log::info("a backend answers again", {{"backend", entry.authority}});
    host.failures = 0;
    host.open_until = {};
    host.heard = clock_.mono();
  }
  left_.notify_all();
}

void Breaker::failed_locked(const std::string& authority, Host& host, const std::string& code) {
  host.last = code;
  ++host.failures;
  if (host.failures < options_.failures) return;
  if (host.failures == options_.failures) {
    log::warn("a backend does not answer; it is asked less and less often",
              {{"backend", authority}, {"reason", code}});
  }
  Duration pause = options_.first_pause;
  for (int i = options_.failures; i < host.failures && pause < options_.longest_pause; ++i)
    pause *= 2;
  pause = std::min(pause, options_.longest_pause);
  host.open_until = clock_.mono() + pause - part_of(pause / 4);
}

// Spread by chance, since all who are refused now would come back together.
Error Breaker::refusal_locked(const std::string& authority, const Host& host, Duration wait) {
  Error error =
      host.failures >= options_.failures
          ? make_error(ErrorClass::Unavailable, std::string(kBackendDown),
                       "not asked: " + authority + " does not answer (" + host.last +
                           "); it is tried again by and by")
          : make_error(ErrorClass::Unavailable, "BackendBusy",
                       "not asked: " + authority + " has not answered earlier requests yet");
  wait = std::max(wait, options_.busy_pause);
  error.retry_after = wait + part_of(wait / 2);
  return error;
}

void Breaker::forget_some_locked(MonoTime now) {
  if (hosts_.size() < kManyHosts) return;
  std::erase_if(hosts_, [&](const auto& entry) {
    const Host& host = entry.second;
    return host.began.empty() && host.failures == 0 && host.open_until <= now;
  });
}

}  // namespace

std::unique_ptr<Transport> make_breaker(std::shared_ptr<Transport> inner, Clock& clock, Rng& jitter,
                                        BreakerOptions options) {
  return std::make_unique<Breaker>(std::move(inner), clock, jitter, std::move(options));
}

}  // namespace keyturn::http
