// Headers, URLs, proxies and lines: what needs no socket.
#include <gtest/gtest.h>

#include <map>

#include "lib/base/rng.h"
#include "lib/base/time.h"
#include "lib/http/line_splitter.h"
#include "lib/http/proxy.h"
#include "lib/http/transport.h"
#include "lib/http/url.h"

namespace keyturn::http {
namespace {

TEST(FindHeader, IgnoresCaseAndTakesTheFirst) {
  const Headers headers = {{"Content-Type", "a"}, {"content-type", "b"}};
  EXPECT_EQ(*find_header(headers, "CONTENT-TYPE"), "a");
  EXPECT_EQ(find_header(headers, "Content"), nullptr);
}

TEST(RetryAfter, ReadsSecondsAndDates) {
  const WallTime now = *parse_rfc3339("1994-11-06T08:49:00Z");
  const auto read = [&](const std::string& value) {
    return retry_after({{"retry-after", value}}, now);
  };
  EXPECT_EQ(read("120"), std::chrono::seconds(120));
  EXPECT_EQ(read(" 0 "), Duration(0));
  EXPECT_EQ(read("Sun, 06 Nov 1994 08:49:37 GMT"), std::chrono::seconds(37));
  EXPECT_EQ(read("Sun, 06 Nov 1994 08:48:00 GMT"), Duration(0)) << "already over";
  EXPECT_EQ(read("99999999999999999999999"), std::chrono::hours(24));
  EXPECT_EQ(read("Sun, 06 Nov 9994 08:49:37 GMT"), std::chrono::hours(24));
  for (const char* odd : {"", "-1", "1.5", "soon", "Sun, 06 Nov 1994 08:49:37 UTC",
                          "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 31 Feb 1994 08:49:37 GMT"}) {
    EXPECT_EQ(read(odd), std::nullopt) << odd;
  }
  EXPECT_EQ(retry_after({}, now), std::nullopt);
}

TEST(Url, TakesApartWhatLibcurlWillConnectTo) {
  const auto url = parse_url("HTTPS://Example.COM/a/../b?x=1#f");
  ASSERT_TRUE(url.ok()) << url.error().describe();
  EXPECT_EQ(url->scheme, "https");
  EXPECT_EQ(url->host, "example.com");
  EXPECT_EQ(url->port, 443);
  EXPECT_EQ(url->path, "/a/../b");
  EXPECT_EQ(url->origin(), "https://example.com");
  EXPECT_EQ(url->authority(), "example.com:443");
  const auto v6 = parse_url("http://[::1]:8086");
  ASSERT_TRUE(v6.ok());
  EXPECT_EQ(v6->host, "::1");
  EXPECT_EQ(v6->path, "/");
  EXPECT_EQ(v6->origin(), "http://[::1]:8086");
}

TEST(Url, RefusesOddOnesWithoutRepeatingThem) {
  for (const std::string& text :
       {std::string(), std::string("hunter2"), std::string("ftp://hunter2/"),
        std::string("http://"), std::string("https://hunter2:pw@host/"),
        std::string("https://hunter2@host/"), std::string("http://a b/hunter2"),
        std::string("http://host:99999/hunter2"), std::string("http://host/\0hunter2", 20),
        std::string("http://host/\r\nhunter2"), std::string("file:///hunter2")}) {
    const auto url = parse_url(text);
    ASSERT_FALSE(url.ok()) << text;
    EXPECT_EQ(url.error().code, "BadUrl");
    EXPECT_EQ(url.error().message.find("hunter2"), std::string::npos) << url.error().message;
  }
}

std::string proxy_for(const ProxySettings& settings, const std::string& url) {
  const auto proxy = choose_proxy(settings, *parse_url(url));
  return proxy ? *proxy : "error " + proxy.error().code;
}

TEST(Proxy, GoesByScheme) {
  const ProxySettings settings{"plain:1", "http://secure:2", ""};
  EXPECT_EQ(proxy_for(settings, "http://a.example/"), "http://plain:1");
  EXPECT_EQ(proxy_for(settings, "https://a.example/"), "http://secure:2");
  EXPECT_EQ(proxy_for({}, "https://a.example/"), "");
  EXPECT_EQ(proxy_for({"socks5://s:1", "", ""}, "http://a.example/"), "socks5h://s:1");
  EXPECT_EQ(proxy_for({"https://s:1", "", ""}, "http://a.example/"), "https://s:1");
  EXPECT_EQ(proxy_for({"gopher://s:1", "", ""}, "http://a.example/"), "error BadProxy");
  EXPECT_EQ(proxy_for({"http://", "", ""}, "http://a.example/"), "error BadProxy");
}

TEST(Proxy, LoopbackNeverUsesOne) {
  const ProxySettings settings{"p:1", "p:1", ""};
  EXPECT_EQ(proxy_for(settings, "http://localhost:8080/"), "");
  EXPECT_EQ(proxy_for(settings, "http://127.0.0.2/"), "");
  EXPECT_EQ(proxy_for(settings, "https://[::1]/"), "");
  EXPECT_EQ(proxy_for(settings, "https://localhost.example/"), "http://p:1");
}

TEST(Proxy, NoProxyAsGoReadsIt) {
  const auto direct = [](const std::string& no_proxy, const std::string& url) {
    return proxy_for({"p:1", "p:1", no_proxy}, url).empty();
  };
  EXPECT_TRUE(direct("*", "https://any.example/"));
  EXPECT_TRUE(direct("a.example", "https://a.example/"));
  EXPECT_TRUE(direct("a.example", "https://sub.a.example/"));
  EXPECT_FALSE(direct("a.example", "https://ba.example/"));
  EXPECT_FALSE(direct(".a.example", "https://a.example/"));
  EXPECT_TRUE(direct(".a.example", "https://sub.a.example/"));
  EXPECT_TRUE(direct("*.a.example", "https://sub.a.example/"));
  EXPECT_FALSE(direct("*.a.example", "https://a.example/"));
  EXPECT_TRUE(direct(" x , A.Example ,", "https://a.EXAMPLE/"));
  EXPECT_TRUE(direct("a.example:8443", "https://a.example:8443/"));
  EXPECT_FALSE(direct("a.example:8443", "https://a.example/"));
  EXPECT_TRUE(direct("10.0.0.0/8", "https://10.200.3.4/"));
  EXPECT_FALSE(direct("10.0.0.0/8", "https://11.0.0.1/"));
  EXPECT_TRUE(direct("10.0.4.0/22", "https://10.0.7.255/"));
  EXPECT_FALSE(direct("10.0.4.0/22", "https://10.0.8.0/"));
  EXPECT_FALSE(direct("10.0.0.0/8", "https://ten.example/"));
  EXPECT_TRUE(direct("10.1.2.3", "https://10.1.2.3/"));
  EXPECT_TRUE(direct("10.1.2.3:80", "http://10.1.2.3/"));
  EXPECT_FALSE(direct("10.1.2.3:80", "https://10.1.2.3/"));
  EXPECT_TRUE(direct("fd00::/8", "https://[fd12::1]/"));
  EXPECT_TRUE(direct("[fd12::1]:443", "https://[fd12::1]/"));
  EXPECT_TRUE(direct("fd12::1", "https://[fd12:0::1]/"));
  EXPECT_FALSE(direct("10.0.0.0/x,/,10.0.0.0/99,:80", "https://10.0.0.1/"));
}

TEST(Proxy, PrefersTheUpperCaseNames) {
  const auto with = [](std::map<std::string, std::string> vars) {
    return proxy_settings([vars](const std::string& name) -> std::optional<std::string> {
      const auto it = vars.find(name);
      if (it == vars.end()) return std::nullopt;
      return it->second;
    });
  };
  EXPECT_EQ(with({{"HTTPS_PROXY", "u"}, {"https_proxy", "l"}}).https_proxy, "u");
  EXPECT_EQ(with({{"https_proxy", "l"}}).https_proxy, "l");
  EXPECT_EQ(with({{"NO_PROXY", ""}, {"no_proxy", "l"}}).no_proxy, "l");
  EXPECT_EQ(with({{"HTTP_PROXY", "u"}, {"REQUEST_METHOD", "GET"}}).http_proxy, "");
  EXPECT_EQ(with({{"HTTPS_PROXY", "u"}, {"REQUEST_METHOD", "GET"}}).https_proxy, "u");
}

std::vector<std::string> lines_of(const std::vector<std::string>& chunks,
                                  std::size_t* pending = nullptr) {
  LineSplitter splitter(1000);
  std::vector<std::string> lines;
  for (const std::string& chunk : chunks) {
    EXPECT_TRUE(splitter
                    .feed(chunk,
                          [&](std::string_view line) {
                            lines.emplace_back(line);
                            return true;
                          })
                    .ok());
  }
  if (pending != nullptr) *pending = splitter.pending();
  return lines;
}

TEST(LineSplitter, GivesTheSameLinesForEveryCut) {
  const std::string text = "{\"a\":1}\n\n\r\n{\"b\":2}\r\nx\r\r\n\nlast, unfinished";
  const std::vector<std::string> expected = {"{\"a\":1}", "{\"b\":2}", "x\r"};
  for (std::size_t i = 0; i <= text.size(); ++i) {
    for (std::size_t j = i; j <= text.size(); ++j) {
      std::size_t pending = 0;
      ASSERT_EQ(lines_of({text.substr(0, i), text.substr(i, j - i), text.substr(j)}, &pending),
                expected)
          << i << ", " << j;
      ASSERT_EQ(pending, 16u);
    }
  }
  std::vector<std::string> bytes;
  for (const char c : text) bytes.emplace_back(1, c);
  EXPECT_EQ(lines_of(bytes), expected);
}

TEST(LineSplitter, AgreesWithTheWholeTextOnRandomStreams) {
  SeededRng rng(5);
  for (int round = 0; round < 500; ++round) {
    std::string text;
    for (std::uint64_t n = rng.below(60); n > 0; --n) text += "ab\n\r"[rng.below(4)];
    std::vector<std::string> chunks;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t size = rng.below(7);
      chunks.push_back(text.substr(at, size));
      at += size;
    }
    ASSERT_EQ(lines_of(chunks), lines_of({text})) << round;
  }
}

TEST(LineSplitter, CompleteLinesDoNotWaitForWhatFollows) {
  LineSplitter splitter(100);
  int lines = 0;
  ASSERT_TRUE(splitter.feed("one\ntwo\nthr", [&](std::string_view) { return ++lines > 0; }).ok());
  EXPECT_EQ(lines, 2);
  EXPECT_EQ(splitter.pending(), 3u);
}

TEST(LineSplitter, BoundsALineWhereverItIsCut) {
  for (std::size_t cut = 0; cut <= 11; ++cut) {
    const std::string fits = "0123456789\n";
    const std::string longer = "0123456789a";
    LineSplitter splitter(10);
    const auto take = [](std::string_view) { return true; };
    EXPECT_TRUE(splitter.feed(fits.substr(0, cut), take).ok());
    EXPECT_TRUE(splitter.feed(fits.substr(cut), take).ok());
    const Status first = splitter.feed(longer.substr(0, cut), take);
    const Status status = first ? splitter.feed(longer.substr(cut), take) : first;
    ASSERT_FALSE(status.ok()) << cut;
    EXPECT_EQ(status.error().code, "LineTooLong");
  }
}

TEST(LineSplitter, StopsWhenTheReaderHasEnough) {
  LineSplitter splitter(100);
  std::vector<std::string> lines;
  ASSERT_TRUE(splitter
                  .feed("a\nb\nc",
                        [&](std::string_view line) {
                          lines.emplace_back(line);
                          return line != "b";
                        })
                  .ok());
  EXPECT_EQ(lines, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(splitter.pending(), 0u);
}

}  // namespace
}  // namespace keyturn::http
