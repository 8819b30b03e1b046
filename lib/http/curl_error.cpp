#include "lib/http/curl_error.h"

namespace keyturn::http {

namespace {

// How far the transfer came: nothing of the request leaves before "pre-transfer".
struct Progress {
  bool ready = false;       // connected, TLS included
  long connect_status = 0;  // of a proxy's reply to CONNECT
};

Progress progress_of(CURL* easy) {
  Progress p;
  curl_off_t micros = 0;
  p.ready = curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &micros) == CURLE_OK && micros > 0;
  curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &p.connect_status);
  return p;
}

const char* code_name(CURLcode code, const Progress& progress) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return "Resolve";
    case CURLE_COULDNT_CONNECT:
    case CURLE_PROXY:
      return "Connect";
    case CURLE_OPERATION_TIMEDOUT:
      return progress.ready ? "Timeout" : "Connect";
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
      return "Tls";
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:  // HTTP/0.9: the URL's own scheme was checked before
    case CURLE_BAD_CONTENT_ENCODING:
      return "BadReply";
    default:
      return progress.ready ? "Reset" : "Connect";
  }
}

}  // namespace

std::string describe_request(const std::string& method, const Url& url) {
  return method + " " + url.origin() + url.path;
}

Error map_curl_error(CURL* easy, CURLcode code, const char* detail, const std::string& request) {
  const Progress progress = progress_of(easy);
  const bool proxy_refused = progress.connect_status != 0 && progress.connect_status / 100 != 2;
  const std::string why = *detail != '\0' ? detail : curl_easy_strerror(code);
  const std::string message = request + ": " + why;
  switch (code) {
    case CURLE_URL_MALFORMAT:
      return invalid("BadUrl", message);
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
      return invalid("BadTlsConfig", message + "; check the CA, the certificate and its key");
    default:
      break;
  }
  if (proxy_refused) return make_error(ErrorClass::Transient, "Connect", message);
  return make_error(ErrorClass::Transient, code_name(code, progress), message);
}

}  // namespace keyturn::http
