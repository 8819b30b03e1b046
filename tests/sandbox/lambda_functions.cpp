#include "tests/sandbox/lambda_functions.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <stdexcept>

#include "lib/base/uuid.h"

namespace keyturn::sandbox {
namespace {

constexpr std::string_view kBase = "/2018-06-01/runtime/";
constexpr std::size_t kMostBytes = 6u << 20;
// How long an invocation waits for a process to ask for it.
constexpr std::chrono::seconds kStart{30};

HttpResponse refusal(int status, const std::string& type, const std::string& message) {
  return {
      status, "application/json", Json{{"errorType", type}, {"errorMessage", message}}.dump(), {}};
}

HttpResponse wrong_state(const std::string& message) {
  return refusal(403, "InvalidStateTransition", message);
}

HttpResponse accepted() { return {202, "application/json", R"({"status":"OK"})", {}}; }

HttpResponse fault_reply(const Fault& fault) {
  return refusal(fault.status, fault.code.empty() ? "ServiceException" : fault.code,
                 fault.message.empty() ? "ordered by the sandbox" : fault.message);
}

// Type and message of a reported error, or why it is none.
std::optional<HttpResponse> read_error(const HttpRequest& request, LambdaOutcome& out) {
  const Json body = Json::parse(request.body, nullptr, false);
  out.error_type = text_at(body, "errorType");
  out.error_message = text_at(body, "errorMessage");
  if (out.error_type.empty() || out.error_message.empty() || !at(body, "stackTrace").is_array())
    return refusal(400, "InvalidErrorShape", "errorType, errorMessage and stackTrace are needed");
  const std::string header = request.header("Lambda-Runtime-Function-Error-Type");
  if (header.empty() || header.find('.') == std::string::npos)
    return refusal(400, "InvalidErrorShape",
                   "Lambda-Runtime-Function-Error-Type must be Category.Reason");
  return std::nullopt;
}

}  // namespace

LambdaFunction::LambdaFunction(std::string name, std::string arn, Duration timeout,
                               ServiceFront& front)
    : name_(std::move(name)),
      arn_(std::move(arn)),
      timeout_(timeout),
      front_(front),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      server_("lambda " + name_, nullptr,
              [this](const HttpRequest& request, HttpExchange& exchange) {
                handle(request, exchange);
              }) {
  server_.start();
}

LambdaFunction::~LambdaFunction() {
  stop();
  server_.stop();
  ::close(wake_);
}

void LambdaFunction::stop() {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  changed_.notify_all();
}

std::string LambdaFunction::api() const { return "127.0.0.1:" + std::to_string(server_.port()); }

LambdaOutcome LambdaFunction::invoke(const Json& event) {
  const std::lock_guard turn(turn_);
  std::unique_lock lock(mutex_);
  pending_ = Pending{.id = uuid_v4(rng_), .event = event.dump()};
  const std::uint64_t one = 1;
  if (::write(wake_, &one, sizeof one) != sizeof one) throw std::runtime_error("eventfd");
  const auto over = [&] { return stopping_ || pending_->outcome; };
  if (!changed_.wait_for(lock, kStart, [&] { return over() || pending_->delivered; })) {
    finish_locked({false, "", "Runtime.ExitError", "no process asked for the invocation"});
  } else if (!changed_.wait_for(lock, timeout_, over)) {
    finish_locked({false, "", "Sandbox.Timedout",
                   "Task timed out after " + std::to_string(timeout_.count()) + " ms"});
  }
  if (!pending_->outcome) finish_locked({false, "", "Runtime.ExitError", "the sandbox ends"});
  LambdaOutcome outcome = *pending_->outcome;
  pending_.reset();
  std::uint64_t taken = 0;
  (void)!::read(wake_, &taken, sizeof taken);
  Json told = event;
  if (told.is_object()) told.erase("RotationToken");
  invocations_.push_back({{"event", std::move(told)},
                          {"ok", outcome.ok},
                          {"errorType", outcome.error_type},
                          {"errorMessage", outcome.error_message}});
  return outcome;
}

void LambdaFunction::finish_locked(LambdaOutcome outcome) {
  pending_->outcome = std::move(outcome);
  changed_.notify_all();
}

void LambdaFunction::restart() {
  const std::lock_guard lock(mutex_);
  started_ = false;
  init_error_.clear();
  if (pending_ && pending_->delivered && !pending_->outcome)
    finish_locked({false, "", "Runtime.ExitError", "Runtime exited"});
}

Json LambdaFunction::invocations() const {
  const std::lock_guard lock(mutex_);
  return invocations_;
}

std::string LambdaFunction::init_error() const {
  const std::lock_guard lock(mutex_);
  return init_error_;
}

void LambdaFunction::handle(const HttpRequest& request, HttpExchange& exchange) {
  const std::string path =
      request.path.starts_with(kBase) ? request.path.substr(kBase.size()) : std::string();
  const auto run = [&](const char* operation, const std::function<HttpResponse()>& process) {
    front_.run({"lambda", operation, name_, "", ""}, exchange, fault_reply, process);
  };
  if (request.method == "GET" && path == "invocation/next") {
    next(request, exchange);
  } else if (request.method == "POST" && path == "init/error") {
    run("init-error", [&] { return init_failed(request); });
  } else if (request.method == "POST" && path.starts_with("invocation/")) {
    const std::size_t slash = path.rfind('/');
    const std::string id = path.substr(std::string_view("invocation/").size(),
                                       slash - std::string_view("invocation/").size());
    const std::string what = path.substr(slash + 1);
    if (what == "response" || what == "error") {
      run(what.c_str(), [&] { return answer(request, id, what == "error"); });
      return;
    }
    exchange.reply(refusal(404, "NotFound", "no such path"));
  } else {
    exchange.reply(refusal(404, "NotFound", "no such path"));
  }
}

void LambdaFunction::next(const HttpRequest&, HttpExchange& exchange) {
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      if (pending_ && pending_->delivered && !pending_->outcome) {
        exchange.reply(wrong_state("an invocation has not been answered yet"));
        return;
      }
      started_ = true;
      if (pending_ && !pending_->delivered) break;
    }
    if (!exchange.wait(wake_, -1)) return;  // whoever asked is gone
  }
  front_.run({"lambda", "next", name_, "", ""}, exchange, fault_reply, [&] { return deliver(); });
}

HttpResponse LambdaFunction::deliver() {
  const std::lock_guard lock(mutex_);
  if (!pending_ || pending_->delivered) return wrong_state("somebody else has taken it");
  std::uint64_t taken = 0;
  (void)!::read(wake_, &taken, sizeof taken);
  pending_->delivered = true;
  pending_->deadline = SystemClock().now() + timeout_;
  changed_.notify_all();
  return {200,
          "application/json",
          pending_->event,
          {{"Lambda-Runtime-Aws-Request-Id", pending_->id},
           {"Lambda-Runtime-Deadline-Ms",
            std::to_string(pending_->deadline.time_since_epoch().count())},
           {"Lambda-Runtime-Invoked-Function-Arn", arn_},
           {"Lambda-Runtime-Trace-Id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700"}}};
}

HttpResponse LambdaFunction::answer(const HttpRequest& request, const std::string& id,
                                    bool is_error) {
  LambdaOutcome outcome{.ok = !is_error};
  if (request.body.size() > kMostBytes)
    return refusal(413, "RequestEntityTooLarge", "an answer has at most 6 MiB");
  if (is_error) {
    if (auto wrong = read_error(request, outcome)) return *wrong;
  } else {
    outcome.response = request.body;
  }
  const std::lock_guard lock(mutex_);
  if (!pending_ || pending_->id != id || !pending_->delivered || pending_->outcome)
    return wrong_state("no answer is owed for that invocation");
  finish_locked(std::move(outcome));
  return accepted();
}

HttpResponse LambdaFunction::init_failed(const HttpRequest& request) {
  LambdaOutcome outcome;
  if (auto wrong = read_error(request, outcome)) return *wrong;
  const std::lock_guard lock(mutex_);
  if (started_) return wrong_state("the init phase is over");
  init_error_ = outcome.error_type + ": " + outcome.error_message;
  return accepted();
}

LambdaFunction& LambdaFunctions::create(const std::string& name, Duration timeout) {
  const std::lock_guard lock(mutex_);
  if (functions_.contains(name)) throw std::invalid_argument("there is a function " + name);
  const std::string arn = "arn:aws:lambda:" + region_ + ":123456789012:function:" + name;
  return *functions_.emplace(name, std::make_unique<LambdaFunction>(name, arn, timeout, front_))
              .first->second;
}

LambdaFunction& LambdaFunctions::need(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = functions_.find(name);
  if (found == functions_.end()) throw std::invalid_argument("no function " + name);
  return *found->second;
}

LambdaFunction* LambdaFunctions::find(const std::string& arn) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [name, function] : functions_) {
    if (function->arn() == arn) return function.get();
  }
  return nullptr;
}

void LambdaFunctions::stop() {
  const std::lock_guard lock(mutex_);
  for (const auto& [name, function] : functions_) function->stop();
}

}  // namespace keyturn::sandbox
