#include "lib/http/curl_exchange.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <exception>
#include <stop_token>
#include <utility>

#include "lib/base/secret_string.h"
#include "lib/base/text.h"
#include "lib/http/curl_error.h"
#include "lib/http/curl_set_up.h"

namespace keyturn::http {

namespace {

// The least that libcurl takes (its own is 64 KiB). It is made, wiped and freed with each sensitive
// request, and a free() of that much tidies glibc's whole heap.
constexpr long kUploadBuffer = 16'384;

// RFC 9110 §9.2.2: sending it twice has the effect of sending it once.
bool is_idempotent(const std::string& method) {
  constexpr std::array<std::string_view, 5> kMethods = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS"};
  return std::find(kMethods.begin(), kMethods.end(), method) != kMethods.end();
}

bool is_token(std::string_view text) {  // RFC 9110 §5.6.2
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kMarks.find(c) != std::string_view::npos;
  });
}

class HeaderList {
 public:
  HeaderList() = default;
  ~HeaderList() { curl_slist_free_all(list_); }
  HeaderList(const HeaderList&) = delete;
  HeaderList& operator=(const HeaderList&) = delete;

  // libcurl's notation: "Name: value" sends it, "Name;" sends it empty, "Name:" suppresses its own.
  void send(const std::string& name, const std::string& value) {
    std::string line = value.empty() ? name + ";" : name + ": " + value;
    append(line);
    cleanse(line);
  }
  void suppress(const std::string& name) { append(name + ":"); }
  void append(const std::string& line) { list_ = curl_slist_append(list_, line.c_str()); }
  curl_slist* get() const { return list_; }

 private:
  curl_slist* list_ = nullptr;
};

class Exchange {
 public:
  Exchange(CurlHandle& handle, const ExchangeOptions& options)
      : handle_(handle), easy_(handle.easy.get()), options_(options), request_(options.request) {
    detail_[0] = '\0';
  }

  Result<Response> run();

 private:
  template <class Value>
  void set(CURLoption option, Value value) {
    curl_easy_setopt(easy_, option, value);
  }

  Status check_headers() const;
  void set_up();
  void set_up_headers();
  void set_up_body();
  void set_up_server_name();
  CURLcode drive();
  Result<Response> finish(CURLcode code);
  Error too_large() const;

  bool on_header(std::string_view line);
  bool on_body(std::string_view data);
  void keep(std::string_view data);
  bool streams() const {
    return options_.on_data != nullptr && response_.status >= 200 && response_.status < 300;
  }

  static std::size_t header_callback(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t write_callback(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t read_callback(char* out, std::size_t size, std::size_t count, void* self);
  static int seek_callback(void* self, curl_off_t offset, int origin);

  CurlHandle& handle_;
  CURL* const easy_;
  const ExchangeOptions& options_;
  const Request& request_;
  HeaderList headers_;
  HeaderList connect_to_;
  std::array<char, CURL_ERROR_SIZE> detail_;
  std::size_t body_sent_ = 0;
  Response response_;
  bool cancelled_ = false;
  bool ended_by_reader_ = false;
  bool too_large_ = false;
  std::exception_ptr thrown_;  // by on_data; must not pass through libcurl's C frames
};

Status Exchange::check_headers() const {
  if (!is_token(request_.method)) return invalid("BadHeader", "the HTTP method is not a token");
  for (const auto& [name, value] : request_.headers) {
    if (!is_token(name)) {
      return invalid("BadHeader", "header name \"" + printable(name, 60) + "\" is not a token");
    }
    if (value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
      return invalid("BadHeader", "the value of header " + name + " holds CR, LF or NUL");
    }
  }
  return {};
}

void Exchange::set_up() {
  set(CURLOPT_URL, request_.url.c_str());
  set(CURLOPT_PATH_AS_IS, 1L);  // the path was signed as it is
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set_up_connection(easy_, request_, options_.proxy);
  set(CURLOPT_ERRORBUFFER, detail_.data());
  set(CURLOPT_HEADERFUNCTION, &Exchange::header_callback);
  set(CURLOPT_HEADERDATA, this);
  set(CURLOPT_WRITEFUNCTION, &Exchange::write_callback);
  set(CURLOPT_WRITEDATA, this);
  if (!options_.user_agent.empty()) set(CURLOPT_USERAGENT, options_.user_agent.c_str());
  if (options_.url.scheme == "https") {
    set_up_tls(easy_, request_.tls.get());
    if (request_.tls && !request_.tls->server_name.empty()) set_up_server_name();
  }
  set_up_body();
  set_up_headers();
}

void Exchange::set_up_headers() {
  for (const auto& [name, value] : request_.headers) headers_.send(name, value);
  headers_.suppress("Expect");  // a round trip, and servers that never answer it
  if (find_header(request_.headers, "Content-Type") == nullptr) headers_.suppress("Content-Type");
  set(CURLOPT_HTTPHEADER, headers_.get());
}

// The body is read by callback instead of being handed over, because then libcurl can send it a
// second time (on a kept-alive connection that turned out dead) only where we let it seek. It
// counts what it sent of the body; before that, no server can have acted on the request.
void Exchange::set_up_body() {
  const std::string& method = request_.method;
  const bool may_repeat = is_idempotent(method);
  if (request_.fresh_connection) set(CURLOPT_FRESH_CONNECT, 1L);
  if (method == "HEAD") {
    set(CURLOPT_NOBODY, 1L);
    return;
  }
  // POST, PATCH and PUT say "Content-Length: 0" too.
  const bool has_length = !request_.body.empty() || !may_repeat || method == "PUT";
  if (has_length) {
    set(CURLOPT_POST, 1L);
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
    set(CURLOPT_READFUNCTION, &Exchange::read_callback);
    set(CURLOPT_READDATA, this);
    set(CURLOPT_UPLOAD_BUFFERSIZE, kUploadBuffer);
    if (may_repeat) {
      set(CURLOPT_SEEKFUNCTION, &Exchange::seek_callback);
      set(CURLOPT_SEEKDATA, this);
    } else if (request_.body.empty()) {
      set(CURLOPT_FRESH_CONNECT, 1L);  // nothing to count: only a new connection is never retried
    }
  }
  set(CURLOPT_CUSTOMREQUEST, method.c_str());
}

// libcurl takes SNI and the name to verify from the URL: so the URL names server_name, the
// connection goes to the real host, and the Host header stays what it was.
void Exchange::set_up_server_name() {
  const Url& to = options_.url;
  Url named = to;
  named.host = lower_ascii(request_.tls->server_name);
  const std::string query =
      request_.url.substr(std::min(request_.url.find('?'), request_.url.size()));
  set(CURLOPT_URL, (named.scheme + "://" + named.authority() + to.path + query).c_str());
  connect_to_.append(named.authority() + ":" + to.authority());
  set(CURLOPT_CONNECT_TO, connect_to_.get());
  if (find_header(request_.headers, "Host") == nullptr) {
    headers_.send("Host", to.origin().substr(to.scheme.size() + 3));
  }
}

std::size_t Exchange::header_callback(char* data, std::size_t size, std::size_t count, void* self) {
  const std::size_t bytes = size * count;
  return static_cast<Exchange*>(self)->on_header({data, bytes}) ? bytes : 0;
}

std::size_t Exchange::write_callback(char* data, std::size_t size, std::size_t count, void* self) {
  const std::size_t bytes = size * count;
  return bytes == 0 || static_cast<Exchange*>(self)->on_body({data, bytes}) ? bytes : 0;
}

std::size_t Exchange::read_callback(char* out, std::size_t size, std::size_t count, void* self) {
  auto* exchange = static_cast<Exchange*>(self);
  const std::string& body = exchange->request_.body;
  const std::size_t bytes = std::min(size * count, body.size() - exchange->body_sent_);
  std::memcpy(out, body.data() + exchange->body_sent_, bytes);
  exchange->body_sent_ += bytes;
  return bytes;
}

int Exchange::seek_callback(void* self, curl_off_t offset, int origin) {
  auto* exchange = static_cast<Exchange*>(self);
  const auto size = static_cast<curl_off_t>(exchange->request_.body.size());
  if (origin != SEEK_SET || offset < 0 || offset > size) return CURL_SEEKFUNC_FAIL;
  exchange->body_sent_ = static_cast<std::size_t>(offset);
  return CURL_SEEKFUNC_OK;
}

bool Exchange::on_header(std::string_view line) {
  while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
  if (line.starts_with("HTTP/")) {  // a new reply: what came before was a 1xx
    response_.headers.clear();
    const std::size_t space = std::min(line.find(' '), line.size() - 1);
    response_.status = 0;
    std::from_chars(line.data() + space + 1, line.data() + line.size(), response_.status);
    return true;
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return true;
  response_.headers.emplace_back(line.substr(0, colon), trim(line.substr(colon + 1)));
  return true;
}

bool Exchange::on_body(std::string_view data) {
  try {
    if (streams()) {
      ended_by_reader_ = !(*options_.on_data)(data);
      return !ended_by_reader_;
    }
    const std::size_t limit = request_.max_reply_bytes;
    too_large_ = limit != 0 && data.size() > limit - response_.body.size();
    if (too_large_) return false;
    keep(data);
    return true;
  } catch (...) {
    thrown_ = std::current_exception();
    return false;
  }
}

void Exchange::keep(std::string_view data) {
  std::string& body = response_.body;
  const std::size_t need = body.size() + data.size();
  if (need > body.capacity()) {  // by hand, so that the outgrown buffer can be wiped
    std::string larger;
    larger.reserve(std::max(need, 2 * body.capacity()));
    larger = body;
    if (request_.sensitive) cleanse(body);
    body = std::move(larger);
  }
  body += data;
}

CURLcode Exchange::drive() {
  CURLM* multi = handle_.multi.get();
  const std::stop_callback on_stop(request_.stop, [multi] { curl_multi_wakeup(multi); });
  CURLMcode code = curl_multi_add_handle(multi, easy_);
  int running = 1;
  while (code == CURLM_OK && running != 0) {
    if (request_.stop.stop_requested()) {
      cancelled_ = true;
      return CURLE_ABORTED_BY_CALLBACK;
    }
    code = curl_multi_perform(multi, &running);
    // A wake-up that came before the poll ends it at once; libcurl shortens it to its next
    // deadline.
    if (code == CURLM_OK && running != 0)
      code = curl_multi_poll(multi, nullptr, 0, 60'000, nullptr);
  }
  if (code != CURLM_OK) return CURLE_OUT_OF_MEMORY;
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi, &left)) {
    if (message->msg == CURLMSG_DONE) return message->data.result;
  }
  return CURLE_FAILED_INIT;
}

Error Exchange::too_large() const {
  return invalid("TooLarge", describe_request(request_.method, options_.url) +
                                 ": the reply is larger than " +
                                 std::to_string(request_.max_reply_bytes) + " bytes");
}

Result<Response> Exchange::finish(CURLcode code) {
  if (thrown_) std::rethrow_exception(thrown_);
  if (code == CURLE_OK || ended_by_reader_) return std::move(response_);
  if (request_.sensitive) cleanse(response_.body);
  if (too_large_) return too_large();
  if (cancelled_) {
    return make_error(ErrorClass::Unavailable, "Cancelled",
                      describe_request(request_.method, options_.url) + ": stopped by its caller");
  }
  return map_curl_error(easy_, code, detail_.data(),
                        describe_request(request_.method, options_.url));
}

Result<Response> Exchange::run() {
  if (Status fine = check_headers(); !fine) return std::move(fine).error();
  set_up();
  const CURLcode code = drive();
  // The error is read off the handle before it forgets the transfer.
  struct Detach {
    Exchange& e;
    ~Detach() {
      curl_multi_remove_handle(e.handle_.multi.get(), e.easy_);
      if (e.request_.sensitive) {
        e.handle_.easy.reset();  // its upload buffer held the body: freed, and so wiped
      } else {
        curl_easy_reset(e.easy_);
      }
    }
  } detach{*this};
  return finish(code);
}

}  // namespace

Result<Response> run_exchange(CurlHandle& handle, const ExchangeOptions& options) {
  if (!handle.easy) handle.easy.reset(curl_easy_init());
  return Exchange(handle, options).run();
}

}  // namespace keyturn::http
