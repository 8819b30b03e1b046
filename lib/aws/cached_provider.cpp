#include "lib/aws/cached_provider.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "lib/base/log.h"
#include "lib/base/time.h"

namespace keyturn::aws {
namespace {

constexpr Duration kAdvisory = std::chrono::minutes(15);
constexpr Duration kMandatory = std::chrono::minutes(10);
constexpr Duration kFirstRest = std::chrono::seconds(1);
constexpr Duration kLongestRest = std::chrono::minutes(1);

}  // namespace

CachedProvider::CachedProvider(std::string source, Fetch fetch, Clock& clock, Rng& rng)
    : source_(std::move(source)), fetch_(std::move(fetch)), clock_(clock), rng_(rng) {}

Result<std::shared_ptr<const Credentials>> CachedProvider::get() {
  std::unique_lock lock(mutex_);
  bool waited = false;
  for (;;) {
    const Age age = age_locked(clock_.now());
    if (age == Age::Fresh) return kept_;
    if (!fetching_) {
      // Whoever waited for a fetch that failed takes its result instead of trying at once himself.
      if ((waited && last_error_) || resting_locked()) return kept_or_error_locked();
      return fetch_and_keep(lock);
    }
    if (age == Age::Advisory) return kept_;
    fetched_.wait(lock, [this] { return !fetching_; });
    waited = true;
  }
}

void CachedProvider::invalidate(const Credentials& refused) {
  const std::lock_guard lock(mutex_);
  if (kept_ && kept_->access_key_id == refused.access_key_id &&
      kept_->session_token == refused.session_token) {
    kept_.reset();
  }
}

CachedProvider::Age CachedProvider::age_locked(WallTime now) const {
  if (!kept_) return Age::Expired;
  if (!kept_->expiration) return Age::Fresh;
  const Duration left = *kept_->expiration - now;
  if (left <= Duration(0)) return Age::Expired;
  if (left <= std::min(kMandatory, lifetime_ / 6)) return Age::Mandatory;
  if (left <= std::min(kAdvisory, lifetime_ / 4)) return Age::Advisory;
  return Age::Fresh;
}

bool CachedProvider::resting_locked() const { return last_error_ && clock_.mono() < rest_until_; }

Result<std::shared_ptr<const Credentials>> CachedProvider::kept_or_error_locked() const {
  if (age_locked(clock_.now()) != Age::Expired) return kept_;
  if (last_error_) return *last_error_;
  return make_error(ErrorClass::Transient, "NoCredentials",
                    source_ + ": keys were refused; new ones are needed");
}

Result<std::shared_ptr<const Credentials>> CachedProvider::fetch_and_keep(
    std::unique_lock<std::mutex>& lock) {
  fetching_ = true;
  lock.unlock();
  Result<Credentials> fetched = checked_fetch();
  lock.lock();
  fetching_ = false;
  if (fetched) {
    lifetime_ = fetched->expiration ? *fetched->expiration - clock_.now() : Duration(0);
    kept_ = std::make_shared<const Credentials>(std::move(*fetched));
    last_error_.reset();
    failures_ = 0;
  } else {
    last_error_ = fetched.error();
    const Duration rest = std::min(kFirstRest * (1 << std::min(failures_++, 10)), kLongestRest);
    rest_until_ = clock_.mono() + rest / 2 +
                  Duration(static_cast<Duration::rep>(
                      rng_.below(static_cast<std::uint64_t>(rest.count() / 2 + 1))));
    if (kept_) {
      log::warn("fresh AWS keys could not be had; the present ones stay in use until they expire",
                {{"source", source_},
                 {"error", last_error_->describe()},
                 {"expires", kept_->expiration ? format_rfc3339(*kept_->expiration) : "never"}});
    }
  }
  fetched_.notify_all();
  return kept_or_error_locked();
}

Result<Credentials> CachedProvider::checked_fetch() const {
  Result<Credentials> got = [this]() -> Result<Credentials> {
    try {
      return fetch_();
    } catch (const std::exception& e) {  // the flag fetching_ must come down again
      return make_error(ErrorClass::Transient, "CredentialsSource", source_ + ": " + e.what());
    }
  }();
  if (!got) return got;
  if (got->access_key_id.empty() || got->secret_access_key.empty()) {
    return make_error(ErrorClass::Denied, "BlankCredentials", source_ + " gave blank keys");
  }
  if (got->expiration && *got->expiration <= clock_.now()) {
    return make_error(ErrorClass::Denied, "ExpiredCredentials",
                      source_ + " gave keys that expired at " + format_rfc3339(*got->expiration));
  }
  return got;
}

}  // namespace keyturn::aws
