#include "controller/rotation/listener.h"

#include <httplib.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "lib/base/log.h"
#include "lib/base/text.h"

namespace keyturn::rotation {
namespace {

constexpr int kThreads = 2;  // a scrape and a probe at the same time
constexpr time_t kReadSeconds = 5;
constexpr time_t kKeepAliveSeconds = 1;  // a stop waits for idle connections; scrapes are far apart

constexpr const char* kEveryAddress = "::";    // of both families
constexpr const char* kEveryIPv4 = "0.0.0.0";  // where the machine has no IPv6

struct Address {
  std::string host;  // "" for every address
  int port = 0;
};

// ":8080", "0.0.0.0:8080", "[::1]:0"
Result<Address> parse_address(const std::string& text) {
  const auto colon = text.rfind(':');
  const std::string port = colon == std::string::npos ? "" : text.substr(colon + 1);
  const bool digits = !port.empty() && port.size() <= 5 &&
                      port.find_first_not_of("0123456789") == std::string::npos;
  if (!digits || std::stoi(port) > 65535)
    return invalid("ListenFailed",
                   "listen: \"" + printable(text) + "\" is no address; write HOST:PORT or :PORT");
  std::string host = text.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  return Address{host, std::stoi(port)};
}

// The port that was bound; 0 when none could be had.
int bind_port(httplib::Server& server, const std::string& host, int port) {
  if (port == 0) return std::max(server.bind_to_any_port(host), 0);
  return server.bind_to_port(host, port) ? port : 0;
}

std::string shown(const std::string& host, int port) {
  const bool ipv6 = host.find(':') != std::string::npos;
  return (ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

void answer(httplib::Response& response, const Status& status) {
  response.status = status ? 200 : 503;
  response.set_content(status ? "ok\n" : status.error().message + "\n",
                       "text/plain; charset=utf-8");
}

}  // namespace

struct Listener::Impl {
  std::string address;
  Pages pages;
  httplib::Server server;
  std::thread thread;
  std::atomic<bool> ended{false};
  int port = 0;
};

Listener::Listener(std::string address, Pages pages) : impl_(std::make_unique<Impl>()) {
  impl_->address = std::move(address);
  impl_->pages = std::move(pages);
  auto& server = impl_->server;
  server.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
  // The library's own options have SO_REUSEPORT: two processes would share the port in silence.
  server.set_socket_options([](int socket) {
    const int yes = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    const int no = 0;  // [::] is for IPv4, too, whatever the machine's default; fails on IPv4's own
    setsockopt(socket, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
  });
  server.set_keep_alive_timeout(kKeepAliveSeconds);
  server.set_read_timeout(kReadSeconds, 0);
  server.Get("/metrics", [this](const httplib::Request&, httplib::Response& r) {
    r.set_content(impl_->pages.metrics(), "text/plain; version=0.0.4; charset=utf-8");
  });
  server.Get("/healthz", [this](const httplib::Request&, httplib::Response& r) {
    answer(r, impl_->pages.healthy());
  });
  server.Get("/readyz", [this](const httplib::Request&, httplib::Response& r) {
    answer(r, impl_->pages.ready());
  });
}

Listener::~Listener() { stop(); }

Status Listener::start() {
  auto address = parse_address(impl_->address);
  if (!address) return std::move(address).error();
  std::string host = address->host.empty() ? kEveryAddress : address->host;
  impl_->port = bind_port(impl_->server, host, address->port);
  if (impl_->port == 0 && address->host.empty()) {
    host = kEveryIPv4;
    impl_->port = bind_port(impl_->server, host, address->port);
  }
  if (impl_->port == 0) {
    return invalid("ListenFailed",
                   "cannot listen on " + impl_->address +
                       "; is another process there? Choose another `listen` in the config file");
  }
  log::info("listening", {{"address", shown(host, impl_->port)}});
  impl_->thread = std::thread([this] {
    impl_->server.listen_after_bind();
    impl_->ended = true;
  });
  // A stop before it runs would be overheard, and wait for ever.
  while (!impl_->server.is_running() && !impl_->ended) std::this_thread::yield();
  return {};
}

void Listener::stop() {
  impl_->server.stop();
  if (impl_->thread.joinable()) impl_->thread.join();
}

int Listener::port() const { return impl_->port; }

}  // namespace keyturn::rotation
