#include "tests/testing/fake_transport.h"

#include <stop_token>
#include <utility>

namespace keyturn::testing {

Reply Reply::of(int status, std::string body, http::Headers headers) {
  Reply reply;
  reply.status = status;
  reply.headers = std::move(headers);
  if (!body.empty()) reply.body.push_back(std::move(body));
  return reply;
}

Reply Reply::failed(Error error) {
  Reply reply;
  reply.error = std::move(error);
  return reply;
}

Reply Reply::chunks(std::vector<std::string> chunks) {
  Reply reply;
  reply.body = std::move(chunks);
  return reply;
}

Reply Reply::then(Error e) && {
  error = std::move(e);
  return std::move(*this);
}

Reply Reply::hold() && {
  held = true;
  return std::move(*this);
}

void FakeTransport::push(Reply reply) {
  const std::lock_guard<std::mutex> guard(mutex_);
  script_.push_back(std::move(reply));
}

void FakeTransport::on_request(Handler handler) {
  const std::lock_guard<std::mutex> guard(mutex_);
  handler_ = std::move(handler);
}

std::vector<http::Request> FakeTransport::requests() const {
  const std::lock_guard<std::mutex> guard(mutex_);
  return requests_;
}

std::size_t FakeTransport::request_count() const {
  const std::lock_guard<std::mutex> guard(mutex_);
  return requests_.size();
}

std::size_t FakeTransport::unexpected() const {
  const std::lock_guard<std::mutex> guard(mutex_);
  return unexpected_;
}

void FakeTransport::await_requests(std::size_t count) const {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [&] { return requests_.size() >= count; });
}

void FakeTransport::await_held(std::size_t count) const {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [&] { return held_ >= count; });
}

void FakeTransport::release() {
  const std::lock_guard<std::mutex> guard(mutex_);
  ++releases_;
  changed_.notify_all();
}

Reply FakeTransport::take(const http::Request& request) {
  Handler handler;
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    requests_.push_back(request);
    changed_.notify_all();
    if (!script_.empty()) {
      Reply reply = std::move(script_.front());
      script_.pop_front();
      return reply;
    }
    if (!handler_) {
      ++unexpected_;
      return Reply::failed(invalid("UnexpectedRequest", request.method + " " + request.url));
    }
    handler = handler_;
  }
  return handler(request);
}

std::optional<Error> FakeTransport::hold_open(const http::Request& request, const Reply& reply) {
  // The callback may run here and now, so it is made before the lock is taken.
  std::stop_callback on_stop(request.stop, [this] {
    const std::lock_guard<std::mutex> guard(mutex_);
    changed_.notify_all();
  });
  std::unique_lock<std::mutex> lock(mutex_);
  const std::size_t before = releases_;
  ++held_;
  changed_.notify_all();
  changed_.wait(lock, [&] { return request.stop.stop_requested() || releases_ != before; });
  --held_;
  if (releases_ != before) return reply.error;
  return make_error(ErrorClass::Unavailable, "Cancelled", "the caller stopped the exchange");
}

Result<http::Response> FakeTransport::send(const http::Request& request) {
  return stream(request, nullptr);
}

Result<http::Response> FakeTransport::stream(const http::Request& request,
                                             const std::function<bool(std::string_view)>& on_data) {
  if (request.stop.stop_requested()) {
    return make_error(ErrorClass::Unavailable, "Cancelled", "the caller stopped the exchange");
  }
  const Reply reply = take(request);
  http::Response response{reply.status, reply.headers, ""};
  const bool streamed = on_data && reply.status >= 200 && reply.status < 300;
  for (const std::string& chunk : reply.body) {
    if (!streamed) {
      response.body += chunk;
    } else if (!on_data(chunk)) {
      return response;
    }
  }
  if (reply.held) {
    if (auto error = hold_open(request, reply)) return *std::move(error);
    return response;
  }
  if (reply.error) return *reply.error;
  return response;
}

}  // namespace keyturn::testing
