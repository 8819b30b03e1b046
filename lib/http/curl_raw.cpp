#include "lib/http/curl_raw.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <stop_token>
#include <string>

#include "lib/base/secret_string.h"
#include "lib/http/curl_error.h"
#include "lib/http/curl_set_up.h"

namespace keyturn::http {
namespace {

using SteadyClock = std::chrono::steady_clock;

class RawExchange {
 public:
  explicit RawExchange(const ExchangeOptions& options)
      : options_(options),
        request_(options.request),
        multi_(curl_multi_init()),
        easy_(curl_easy_init()),
        what_("raw exchange with " + options.url.authority()) {
    detail_[0] = '\0';
  }
  ~RawExchange() {
    curl_multi_remove_handle(multi_.get(), easy_.get());
    if (request_.sensitive) cleanse(buffer_);
  }
  RawExchange(const RawExchange&) = delete;
  RawExchange& operator=(const RawExchange&) = delete;

  Result<Response> run() {
    const std::stop_callback on_stop(request_.stop, [this] { curl_multi_wakeup(multi_.get()); });
    connect();
    if (Status there = drive(); !there) return std::move(there).error();
    if (Status sent = send(); !sent) return std::move(sent).error();
    return receive();
  }

 private:
  void connect() {
    CURL* easy = easy_.get();
    origin_ = options_.url.origin();
    curl_easy_setopt(easy, CURLOPT_URL, origin_.c_str());
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https");
    curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTPPROXYTUNNEL, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_ENABLE_ALPN, 0L);  // what is spoken is not HTTP
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, detail_.data());
    set_up_connection(easy, request_, options_.proxy);
    set_up_tls(easy, request_.tls.get());
    curl_multi_add_handle(multi_.get(), easy);
  }

  Status drive() {
    int running = 1;
    while (running != 0) {
      if (request_.stop.stop_requested()) return cancelled();
      if (curl_multi_perform(multi_.get(), &running) != CURLM_OK) return lost(CURLE_OUT_OF_MEMORY);
      if (running != 0) curl_multi_poll(multi_.get(), nullptr, 0, 60'000, nullptr);
    }
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      if (message->data.result == CURLE_OK) return {};
      Error error = map_curl_error(easy_.get(), message->data.result, detail_.data(), what_);
      // Nothing was sent, whatever libcurl calls the phase.
      if (error.code == "Timeout" || error.code == "Reset") error.code = "Connect";
      return error;
    }
    return lost(CURLE_FAILED_INIT);
  }

  Status send() {
    std::size_t sent = 0;
    while (sent < request_.body.size()) {
      std::size_t now = 0;
      const CURLcode code = curl_easy_send(easy_.get(), request_.body.data() + sent,
                                           request_.body.size() - sent, &now);
      if (code == CURLE_OK) sent += now;
      if (code == CURLE_AGAIN) {
        if (Status ready = wait(CURL_WAIT_POLLOUT); !ready) return ready;
      } else if (code != CURLE_OK) {
        return lost(code);
      }
    }
    return {};
  }

  Result<Response> receive() {
    for (;;) {
      std::size_t got = 0;
      const CURLcode code = curl_easy_recv(easy_.get(), buffer_.data(), buffer_.size(), &got);
      if (code == CURLE_AGAIN) {
        if (Status ready = wait(CURL_WAIT_POLLIN); !ready) return std::move(ready).error();
      } else if (code != CURLE_OK || got == 0) {
        return lost(code).error();
      } else if (!(*options_.on_data)({buffer_.data(), got})) {
        return Response{.status = 200, .headers = {}, .body = {}};
      }
    }
  }

  // Until the socket may be ready; the deadline is checked by the clock, for libcurl's own ended
  // with the connection.
  Status wait(short events) {
    if (request_.stop.stop_requested()) return cancelled();
    curl_socket_t socket = CURL_SOCKET_BAD;
    curl_easy_getinfo(easy_.get(), CURLINFO_ACTIVESOCKET, &socket);
    if (socket == CURL_SOCKET_BAD) return lost(CURLE_SEND_ERROR);
    int patience = 60'000;
    if (request_.timeout != Duration::max()) {
      const auto left =
          std::chrono::duration_cast<Duration>(began_ + request_.timeout - SteadyClock::now());
      if (left <= Duration(0))
        return make_error(ErrorClass::Transient, "Timeout", what_ + ": no answer in time");
      patience = static_cast<int>(std::min<Duration::rep>(left.count() + 1, patience));
    }
    curl_waitfd ready{socket, events, 0};
    if (curl_multi_poll(multi_.get(), &ready, 1, patience, nullptr) != CURLM_OK)
      return lost(CURLE_OUT_OF_MEMORY);
    return {};
  }

  Status cancelled() const {
    return make_error(ErrorClass::Unavailable, "Cancelled", what_ + ": stopped by its caller");
  }
  Status lost(CURLcode code) const {
    const std::string why = code == CURLE_OK     ? "the server ended the connection"
                            : detail_[0] != '\0' ? detail_.data()
                                                 : curl_easy_strerror(code);
    return make_error(ErrorClass::Transient, "Reset", what_ + ": " + why);
  }

  const ExchangeOptions& options_;
  const Request& request_;
  const SteadyClock::time_point began_ = SteadyClock::now();
  std::unique_ptr<CURLM, MultiDeleter> multi_;
  std::unique_ptr<CURL, EasyDeleter> easy_;
  const std::string what_;
  std::string origin_;
  std::array<char, CURL_ERROR_SIZE> detail_;
  std::string buffer_ = std::string(16'384, '\0');
};

}  // namespace

Result<Response> run_raw_exchange(const ExchangeOptions& options) {
  if (options.url.scheme != "https" || options.on_data == nullptr)
    return invalid("BadUrl", "a raw exchange takes an https URL and somebody who reads the answer");
  return RawExchange(options).run();
}

}  // namespace keyturn::http
