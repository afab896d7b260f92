#include "report/page.h"

#include <openssl/evp.h>

#include <array>

#include <fmt/format.h>

#include "base/embedded.h"
#include "base/fail.h"
#include "report/bundle.h"
#include "report/document.h"
#include "valuelens/report.h"

namespace valuelens {

namespace {

/// A source of a content security policy that allows one inline text.
std::string policy_hash(std::string_view text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    if (EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) {
        fail(ErrorKind::internal, "SHA-256 is not to be had");
    }
    std::array<unsigned char, 4 * ((EVP_MAX_MD_SIZE + 2) / 3) + 1> base64{};
    const int length = EVP_EncodeBlock(base64.data(), digest.data(), static_cast<int>(size));
    return fmt::format("'sha256-{}'", std::string(base64.begin(), base64.begin() + length));
}

std::string_view shipped(const char * path) {
    const auto contents = find_embedded(path);
    if (!contents) {
        fail(ErrorKind::internal, "{} is not part of this build", path);
    }
    return *contents;
}

/// Styles stand inline because a saved page has no other file; charts set some on their own elements.
std::string policy(std::string_view script, bool live) {
    return fmt::format("default-src 'none'; style-src 'unsafe-inline'; img-src data: blob:; script-src {}; connect-src "
                       "{}; base-uri 'none'; form-action 'none'",
                       script.empty() ? "'none'" : policy_hash(script), live ? "'self'" : "'none'");
}

constexpr const char * without_charts =
    "This build of valuelens has no charts (it was built without node and npm); the numbers stand here as tables.";

} // namespace

std::string embedded_json(const Json & model) {
    std::string text;
    for (const char c : dump(model)) {
        if (c == '<') {
            text += "\\u003c";
        } else {
            text += c;
        }
    }
    return text;
}

bool report_has_charts() {
    return !report_bundle().empty();
}

std::string report_page(const Json & model, bool live) {
    const std::string_view script = report_bundle();
    std::string page = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                       "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
    page += fmt::format("<meta http-equiv=\"Content-Security-Policy\" content=\"{}\">\n", policy(script, live));
    if (live && script.empty()) {
        page += "<meta http-equiv=\"refresh\" content=\"10\">\n";
    }
    page += fmt::format("<title>valuelens: {}</title>\n<link rel=\"icon\" href=\"data:,\">\n",
                        escape_html(model.at("model").at("name").get<std::string>()));
    page += "<style>\n";
    page += shipped("report/page.css");
    page += fmt::format("</style>\n</head>\n<body{}>\n<main id=\"report\">\n", live ? " data-live=\"state.json\"" : "");
    if (script.empty()) {
        page += fmt::format("<p class=\"note\">{}</p>\n", without_charts);
    }
    page += to_html(report_document(model));
    page += "</main>\n";
    if (!script.empty()) {
        page += "<script type=\"application/json\" id=\"model\">";
        page += embedded_json(model);
        page += "</script>\n<script>";
        page += script;
        page += "</script>\n";
    }
    return page + "</body>\n</html>\n";
}

} // namespace valuelens
