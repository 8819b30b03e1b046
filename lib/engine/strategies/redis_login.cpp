#include "lib/engine/strategies/redis_login.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace keyturn::engine {
namespace {

constexpr std::size_t kMostBytes = 4096;  // two short lines

// An array of bulk strings.
std::string command(const std::vector<std::string_view>& words) {
  std::string out = "*" + std::to_string(words.size()) + "\r\n";
  for (std::string_view word : words) {
    out += "$" + std::to_string(word.size()) + "\r\n";
    out += word;
    out += "\r\n";
  }
  return out;
}

// The first lines, without their ends; one that is cut off is none.
std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> out;
  for (std::size_t end = 0; (end = text.find("\r\n")) != std::string_view::npos;) {
    out.push_back(text.substr(0, end));
    text.remove_prefix(end + 2);
  }
  return out;
}

// The error's name, as in "-WRONGPASS invalid username-password pair"; what follows might repeat
// what was sent.
std::string name_of(std::string_view error) {
  std::string out;
  for (char c : error.substr(1)) {
    if (c < 'A' || c > 'Z' || out.size() == 20) break;
    out += c;
  }
  return out.empty() ? "an error" : out;
}

TestResult unclear(const std::string& host_port, const std::string& what) {
  return unknown(make_error(ErrorClass::Transient, "BadReply", "Redis " + host_port + " " + what));
}

}  // namespace

TestResult judge_redis_login(std::string_view replies, const std::string& host_port) {
  const std::vector<std::string_view> lines = lines_of(replies);
  if (lines.empty()) return unclear(host_port, "did not answer AUTH");
  const std::string_view auth = lines.front();
  const bool wrong = auth.starts_with("-WRONGPASS ") || auth.starts_with("-ERR invalid password") ||
                     auth.starts_with("-ERR invalid username-password pair");
  if (wrong) return rejected("Redis " + host_port + " refuses the password");
  if (auth != "+OK") {
    return unclear(host_port, auth.starts_with("-") ? "answers AUTH with " + name_of(auth)
                                                    : "does not speak Redis' protocol");
  }
  if (lines.size() < 2) return unclear(host_port, "did not answer PING");
  if (lines[1] == "+PONG" || lines[1].starts_with("-NOPERM "))
    return {Verdict::Accepted, "the user logs in with the password", std::nullopt, std::nullopt};
  return unclear(host_port, "answers PING with " +
                                (lines[1].starts_with("-") ? name_of(lines[1]) : "something else"));
}

TestResult redis_login(const StrategyDeps& deps, const Server& server, std::string_view user,
                       const SecretString& password, MonoTime deadline) {
  const Duration left = deadline - deps.clock->mono();
  if (left <= Duration(0)) {
    return unknown(
        make_error(ErrorClass::Unavailable, "ViewTooOld", "no time was left for the login"));
  }
  http::Request request;
  request.url = server.base;
  request.raw = true;
  request.sensitive = true;
  request.fresh_connection = true;
  request.timeout = std::min(deps.request_timeout, left);
  request.connect_timeout = std::min(request.connect_timeout, request.timeout);
  std::vector<std::string_view> auth = {"AUTH"};
  if (!user.empty()) auth.push_back(user);
  auth.push_back(password.reveal());
  request.body = command(auth) + command({"PING"});
  std::string replies;
  const auto enough = [&](std::string_view data) {
    replies += data.substr(0, kMostBytes - std::min(kMostBytes, replies.size()));
    return lines_of(replies).size() < 2 && replies.size() < kMostBytes;
  };
  auto done = deps.transport->stream(request, enough);
  cleanse(request.body);
  // A server may close behind its refusal.
  TestResult result = !done && replies.empty() ? unknown(done.error())
                                               : judge_redis_login(replies, server.host_port);
  if (!done && result.verdict == Verdict::Unknown) result = unknown(done.error());
  cleanse(replies);
  return result;
}

}  // namespace keyturn::engine
