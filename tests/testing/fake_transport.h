// A Transport that answers from a script or a function and remembers what it was asked.
//
//   FakeTransport transport;
//   transport.push(Reply::of(200, R"({"ARN":"…"})"));
//   transport.push(Reply::failed(make_error(ErrorClass::Transient, "Reset", "reset by peer")));
//   transport.push(Reply::chunks({"{\"type\":", "\"ADDED\"}\n"}).hold());     // a watch left open
//   transport.on_request([](const http::Request& r) { return Reply::of(404); });  // when the script is empty
//
// A scripted reply is used once, in order; then the function is asked. With neither, the request
// fails with Invalid "UnexpectedRequest" and unexpected() counts it: assert that it is 0.
//
// Thread rule: any thread. The function is called without a lock, so it must bring its own.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"
#include "lib/http/transport.h"

namespace keyturn::testing {

struct Reply {
  int status = 200;
  http::Headers headers;
  // send() joins the chunks into the body; stream() hands each to on_data (2xx) or joins them
  // (others).
  std::vector<std::string> body;
  // After the chunks (at once when there are none, status and headers are then lost as on a real
  // socket): the exchange ends with this error instead of the end of the stream.
  std::optional<Error> error;
  // After the chunks the connection stays open, without a deadline, until the request's stop token
  // is stopped (Unavailable "Cancelled") or the transport's release() is called (error or end of
  // stream).
  bool held = false;

  static Reply of(int status, std::string body = "", http::Headers headers = {});
  static Reply failed(Error error);
  static Reply chunks(std::vector<std::string> chunks);
  Reply then(Error e) &&;  // for streams: ends with this error
  Reply hold() &&;
};

class FakeTransport final : public http::Transport {
 public:
  using Handler = std::function<Reply(const http::Request&)>;

  void push(Reply reply);
  void on_request(Handler handler);

  // What was asked so far, streams included.
  std::vector<http::Request> requests() const;
  std::size_t request_count() const;
  std::size_t unexpected() const;
  // Blocks until at least `count` requests have arrived in all.
  void await_requests(std::size_t count) const;
  // Blocks until at least `count` exchanges are held open (see Reply::held).
  void await_held(std::size_t count) const;
  // Ends all exchanges that are held now.
  void release();

  Result<http::Response> send(const http::Request& request) override;
  Result<http::Response> stream(const http::Request& request,
                                const std::function<bool(std::string_view)>& on_data) override;

 private:
  Reply take(const http::Request& request);
  // The error the held exchange ends with, if any.
  std::optional<Error> hold_open(const http::Request& request, const Reply& reply);

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::deque<Reply> script_;
  Handler handler_;
  std::vector<http::Request> requests_;
  std::size_t unexpected_ = 0;
  std::size_t held_ = 0;
  std::size_t releases_ = 0;
};

}  // namespace keyturn::testing
