// A resolver that hangs must not hold up a deadline or a stop. This program's getaddrinfo() is
// found before the C library's, by libcurl too.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <netdb.h>

#include <atomic>
#include <cstring>

#include "lib/http/curl_transport.h"
#include "tests/unit/http/loopback_server.h"

namespace {

constexpr const char* kHangingHost = "hangs.invalid";
keyturn::http::Gate g_release;
std::atomic<int> g_hanging{0};

}  // namespace

extern "C" int getaddrinfo(const char* node, const char* service, const addrinfo* hints,
                           addrinfo** result) {
  if (node != nullptr && std::strcmp(node, kHangingHost) == 0) {
    ++g_hanging;
    g_hanging.notify_all();
    g_release.wait();
    return EAI_NONAME;
  }
  using Function = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  static const auto kNext = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "getaddrinfo"));
  return kNext(node, service, hints, result);
}

namespace keyturn::http {
namespace {

Request hanging() {
  Request request;
  request.url = std::string("http://") + kHangingHost + "/";
  request.connect_timeout = Duration(50);
  return request;
}

TEST(Resolver, AHangingLookUpEndsAtTheDeadlineAndWhenStopped) {
  const auto transport = make_curl_transport({16, "", {}});
  const auto late = transport->send(hanging());
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().code, "Connect") << late.error().describe();

  std::stop_source stop;
  Request request = hanging();
  request.connect_timeout = std::chrono::hours(1);
  request.timeout = Duration::max();
  request.stop = stop.get_token();
  std::jthread stopper([&] {
    for (int n = g_hanging; n < 2; n = g_hanging) g_hanging.wait(n);
    stop.request_stop();
  });
  const auto stopped = transport->send(request);
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(stopped.error().code, "Cancelled") << stopped.error().describe();
  g_release.open();  // only now do the look-ups end
}

}  // namespace
}  // namespace keyturn::http
