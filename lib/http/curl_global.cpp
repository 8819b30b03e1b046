#include "lib/http/curl_global.h"

#include <curl/curl.h>
#include <malloc.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <mutex>

namespace keyturn::http {

namespace {

void wiping_free(void* block) {
  if (block == nullptr) return;
  OPENSSL_cleanse(block, malloc_usable_size(block));
  std::free(block);
}

// std::realloc may move the block and free the old one unwiped.
void* wiping_realloc(void* block, std::size_t size) {
  if (block == nullptr) return std::malloc(size);
  const std::size_t have = malloc_usable_size(block);
  if (size <= have && size >= have / 2) return block;
  void* moved = std::malloc(size);
  if (moved == nullptr) return nullptr;
  std::memcpy(moved, block, std::min(size, have));
  wiping_free(block);
  return moved;
}

char* copy_text(const char* text) { return ::strdup(text); }

}  // namespace

void init_curl() {
  static std::once_flag once;
  std::call_once(once, [] {
    const CURLcode code = curl_global_init_mem(CURL_GLOBAL_DEFAULT, std::malloc, wiping_free,
                                               wiping_realloc, copy_text, std::calloc);
    if (code != CURLE_OK) std::abort();  // no memory, at start: nothing can be done
  });
}

}  // namespace keyturn::http
