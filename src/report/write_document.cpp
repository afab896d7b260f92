#include "report/document.h"

#include <fmt/format.h>

namespace valuelens {

namespace {

/// Punctuation that Markdown might take for its own gets a backslash; line breaks become spaces.
std::string escape_markdown(const std::string & text) {
    std::string escaped;
    for (const char c : text) {
        if (c == '\n' || c == '\r' || c == '\t') {
            escaped += ' ';
            continue;
        }
        if (std::string_view("\\`*_{}[]<>#|~!&$").find(c) != std::string_view::npos) {
            escaped += '\\';
        }
        escaped += c;
    }
    return escaped;
}

std::string markdown_row(const std::vector<std::string> & cells) {
    std::string row = "|";
    for (const std::string & cell : cells) {
        row += fmt::format(" {} |", escape_markdown(cell));
    }
    row += "\n";
    return row;
}

std::string markdown_table(const Block & block) {
    std::string text = block.text.empty() ? "" : escape_markdown(block.text) + "\n\n";
    text += markdown_row(block.items) + "|";
    for (std::size_t i = 0; i < block.items.size(); ++i) {
        text += "---|";
    }
    text += "\n";
    for (const auto & row : block.rows) {
        text += markdown_row(row);
    }
    return text;
}

std::string html_cells(const std::vector<std::string> & cells, bool header) {
    std::string row = "<tr>";
    for (std::size_t i = 0; i < cells.size(); ++i) {
        const char * tag = header || i == 0 ? "th" : "td";
        row += fmt::format("<{}{}>{}</{}>", tag,
                           header   ? " scope=\"col\""
                           : i == 0 ? " scope=\"row\""
                                    : "",
                           escape_html(cells[i]), tag);
    }
    return row + "</tr>\n";
}

std::string html_table(const Block & block) {
    std::string text = "<div class=\"scroll\"><table>\n";
    if (!block.text.empty()) {
        text += fmt::format("<caption>{}</caption>\n", escape_html(block.text));
    }
    text += "<thead>" + html_cells(block.items, true) + "</thead>\n<tbody>\n";
    for (const auto & row : block.rows) {
        text += html_cells(row, false);
    }
    return text + "</tbody></table></div>\n";
}

} // namespace

std::string escape_html(const std::string & text) {
    std::string escaped;
    for (const char c : text) {
        switch (c) {
        case '&':
            escaped += "&amp;";
            break;
        case '<':
            escaped += "&lt;";
            break;
        case '>':
            escaped += "&gt;";
            break;
        case '"':
            escaped += "&quot;";
            break;
        case '\'':
            escaped += "&#39;";
            break;
        default:
            escaped += c;
        }
    }
    return escaped;
}

std::string to_markdown(const Document & document) {
    std::string text;
    for (const Block & block : document) {
        switch (block.kind) {
        case Block::Kind::heading:
            text += std::string(static_cast<std::size_t>(block.level), '#') + " " + escape_markdown(block.text) + "\n";
            break;
        case Block::Kind::paragraph:
            text += escape_markdown(block.text) + "\n";
            break;
        case Block::Kind::list:
            for (const std::string & item : block.items) {
                text += fmt::format("- {}\n", escape_markdown(item));
            }
            break;
        case Block::Kind::table:
            text += markdown_table(block);
            break;
        case Block::Kind::command:
            text += "    " + block.text.substr(0, block.text.find('\n')) + "\n";
            break;
        }
        text += "\n";
    }
    while (text.ends_with("\n\n")) {
        text.pop_back();
    }
    return text;
}

std::string to_html(const Document & document) {
    std::string text;
    for (const Block & block : document) {
        switch (block.kind) {
        case Block::Kind::heading:
            text += fmt::format("<h{0}>{1}</h{0}>\n", block.level, escape_html(block.text));
            break;
        case Block::Kind::paragraph:
            text += fmt::format("<p>{}</p>\n", escape_html(block.text));
            break;
        case Block::Kind::list:
            text += "<ul>\n";
            for (const std::string & item : block.items) {
                text += fmt::format("<li>{}</li>\n", escape_html(item));
            }
            text += "</ul>\n";
            break;
        case Block::Kind::table:
            text += html_table(block);
            break;
        case Block::Kind::command:
            text += fmt::format("<pre><code>{}</code></pre>\n", escape_html(block.text));
            break;
        }
    }
    return text;
}

} // namespace valuelens
