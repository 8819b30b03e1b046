#include "lib/http/curl_transport.h"

#include <algorithm>
#include <iterator>
#include <list>
#include <string>
#include <utility>

#include "lib/base/mutex.h"
#include "lib/http/curl_exchange.h"
#include "lib/http/curl_global.h"
#include "lib/http/curl_raw.h"
#include "lib/http/url.h"

namespace keyturn::http {

namespace {

class CurlTransport final : public Transport {
 public:
  explicit CurlTransport(CurlOptions options) : options_(std::move(options)) { init_curl(); }

  Result<Response> send(const Request& request) override { return exchange(request, nullptr); }

  Result<Response> stream(const Request& request,
                          const std::function<bool(std::string_view)>& on_data) override {
    return exchange(request, &on_data);
  }

 private:
  Result<Response> exchange(const Request& request,
                            const std::function<bool(std::string_view)>* on_data);
  Result<std::string> proxy_of(const Request& request, const Url& url) const;
  CurlHandle acquire(const std::string& origin);
  void release(CurlHandle handle);

  const CurlOptions options_;
  Mutex mutex_;
  std::list<CurlHandle> idle_ KT_GUARDED_BY(mutex_);  // the last used first
};

Result<Response> CurlTransport::exchange(const Request& request,
                                         const std::function<bool(std::string_view)>* on_data) {
  const Result<Url> url = parse_url(request.url);
  if (!url) return url.error();
  const Result<std::string> proxy = proxy_of(request, *url);
  if (!proxy) return proxy.error();
  if (request.timeout <= Duration(0)) {
    return make_error(ErrorClass::Unavailable, "DeadlineOver",
                      request.method + " " + url->origin() + ": no time is left to send it");
  }
  if (request.raw) return run_raw_exchange({request, *url, *proxy, options_.user_agent, on_data});
  CurlHandle handle = acquire(url->origin());
  Result<Response> result =
      run_exchange(handle, {request, *url, *proxy, options_.user_agent, on_data});
  release(std::move(handle));
  return result;
}

Result<std::string> CurlTransport::proxy_of(const Request& request, const Url& url) const {
  if (request.proxy == kNoProxy) return std::string();
  if (!request.proxy.empty()) return normal_proxy(request.proxy);
  return choose_proxy(options_.proxies, url);
}

CurlHandle CurlTransport::acquire(const std::string& origin) {
  {
    const MutexLock lock(mutex_);
    const auto same = std::find_if(idle_.begin(), idle_.end(),
                                   [&](const CurlHandle& h) { return h.origin == origin; });
    if (same != idle_.end()) {
      CurlHandle handle = std::move(*same);
      idle_.erase(same);
      return handle;
    }
  }
  CurlHandle fresh;
  fresh.origin = origin;
  fresh.multi.reset(curl_multi_init());
  return fresh;
}

void CurlTransport::release(CurlHandle handle) {
  std::list<CurlHandle> surplus;  // closed after the lock: that may write to sockets
  const MutexLock lock(mutex_);
  idle_.push_front(std::move(handle));
  if (idle_.size() > options_.max_idle_handles) {
    surplus.splice(surplus.begin(), idle_, std::prev(idle_.end()));
  }
}

}  // namespace

std::unique_ptr<Transport> make_curl_transport(CurlOptions options) {
  return std::make_unique<CurlTransport>(std::move(options));
}

}  // namespace keyturn::http
