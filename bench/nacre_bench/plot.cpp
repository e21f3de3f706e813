#include "bench/nacre_bench/plot.h"

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>

#include "bench/nacre_bench/compare.h"

namespace nacre::bench {

namespace {

// Pixels. Text is 13 high in a row of 26; a panel of a curve is 120 high with 40 below it for its axis.
constexpr double kWidth = 760, kMargin = 20, kLabelWidth = 150, kTitleHeight = 40;
constexpr double kRowHeight = 26, kBarHeight = 16, kPanelHeight = 120, kPanelGap = 40;
constexpr double kPlotLeft = kMargin + kLabelWidth, kPlotWidth = kWidth - kPlotLeft - 120;
constexpr const char* kBarColour = "#3465a4";
constexpr const char* kWhiskerColour = "#2e3436";
constexpr const char* kGridColour = "#babdb6";

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '<')
      out += "&lt;";
    else if (c == '&')
      out += "&amp;";
    else
      out += c;
  }
  return out;
}

std::string short_number(double value) {
  char text[32];
  if (std::fabs(value) >= 1e6)
    std::snprintf(text, sizeof text, "%.2f M", value / 1e6);
  else if (std::fabs(value) >= 1e4)
    std::snprintf(text, sizeof text, "%.0f K", value / 1e3);
  else
    std::snprintf(text, sizeof text, "%.3g", value);
  return text;
}

// The elements of a drawing, top to bottom.
class Svg {
 public:
  void text(double x, double y, const char* anchor, const std::string& words) {
    add("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
    body_ += escaped(words) + "</text>\n";
  }
  void box(double x, double y, double width, double height, const char* colour) {
    add("<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"/>\n", x, y, width, height,
        colour);
  }
  void line(double x1, double y1, double x2, double y2, const char* colour) {
    add("<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\"/>\n", x1, y1, x2, y2, colour);
  }
  void curve(const std::vector<std::pair<double, double>>& points) {
    body_ +=
        "<polyline fill=\"none\" stroke=\"" + std::string(kBarColour) + "\" stroke-width=\"1.5\" points=\"";
    for (const auto& [x, y] : points) add("%.1f,%.1f ", x, y);
    body_ += "\"/>\n";
  }
  std::string done(double height) {
    char head[200];
    std::snprintf(head, sizeof head,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
                  "font-family=\"sans-serif\" font-size=\"13\">\n",
                  kWidth, height);
    return head + std::string("<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n") + body_ + "</svg>\n";
  }

 private:
  [[gnu::format(printf, 2, 3)]] void add(const char* format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    body_ += text;
  }
  std::string body_;
};

struct Bar {
  std::string label;
  double value, least, most;
  std::string caption;
};

std::string bars(const std::string& title, const std::vector<Bar>& rows, bool line_at_one) {
  double largest = line_at_one ? 1 : 0;
  for (const Bar& bar : rows) largest = std::max({largest, bar.value, bar.most});
  const double scale = kPlotWidth / std::max(largest, 1e-300);
  const double bottom = kTitleHeight + kRowHeight * static_cast<double>(rows.size());
  Svg svg;
  svg.text(kMargin, kTitleHeight - 16, "start", title);
  for (size_t i = 0; i < rows.size(); ++i) {
    const Bar& bar = rows[i];
    const double top = kTitleHeight + kRowHeight * static_cast<double>(i), middle = top + kBarHeight / 2;
    svg.text(kPlotLeft - 8, top + 13, "end", bar.label);
    svg.box(kPlotLeft, top, bar.value * scale, kBarHeight, kBarColour);
    svg.line(kPlotLeft + bar.least * scale, middle, kPlotLeft + bar.most * scale, middle, kWhiskerColour);
    for (const double end : {bar.least, bar.most})
      svg.line(kPlotLeft + end * scale, top + 3, kPlotLeft + end * scale, top + kBarHeight - 3,
               kWhiskerColour);
    svg.text(kPlotLeft + bar.most * scale + 8, top + 13, "start", bar.caption);
  }
  if (line_at_one) svg.line(kPlotLeft + scale, kTitleHeight - 6, kPlotLeft + scale, bottom, "#cc0000");
  return svg.done(bottom + kMargin);
}

void panel(Svg& svg, const ResultTable& table, size_t column, double top) {
  double largest = 0;
  for (const ResultTable::Row& row : table.rows) largest = std::max(largest, row.values[column]);
  const double end = std::max(table.rows.back().values[0], 1e-300), bottom = top + kPanelHeight;
  svg.text(kPlotLeft - 8, top + 13, "end", table.columns[column]);
  svg.text(kPlotLeft - 8, bottom, "end", "0");
  svg.text(kPlotLeft + kPlotWidth + 8, top + 13, "start", "most " + short_number(largest));
  svg.line(kPlotLeft, bottom, kPlotLeft + kPlotWidth, bottom, kGridColour);
  svg.line(kPlotLeft, top, kPlotLeft, bottom, kGridColour);
  std::vector<std::pair<double, double>> points;
  for (const ResultTable::Row& row : table.rows)
    points.emplace_back(kPlotLeft + row.values[0] / end * kPlotWidth,
                        bottom - (largest > 0 ? row.values[column] / largest : 0) * kPanelHeight);
  svg.curve(points);
}

std::string curves(const std::string& title, const ResultTable& table) {
  Svg svg;
  svg.text(kMargin, kTitleHeight - 16, "start", title);
  double top = kTitleHeight;
  for (size_t column = 1; column < table.columns.size(); ++column, top += kPanelHeight + kPanelGap)
    panel(svg, table, column, top);
  svg.text(kPlotLeft, top - kPanelGap + 18, "start", "0");
  svg.text(kPlotLeft + kPlotWidth, top - kPanelGap + 18, "end",
           table.columns[0] + " = " + short_number(table.rows.back().values[0]));
  return svg.done(top + kMargin);
}

std::string ratios(const Options& o, const std::vector<RunResult>& results) {
  std::vector<Bar> rows;
  for (const Comparison& row : compare(results, o.engine, o.compare)) {
    char caption[64];
    std::snprintf(caption, sizeof caption, "%.2f", row.wall.of_medians);
    rows.push_back(
        {row.benchmark, row.wall.of_medians, row.wall.rounds.least, row.wall.rounds.most, caption});
  }
  return bars("Operations a second, " + o.engine + " / " + o.compare + ", median of " +
                  std::to_string(o.rounds) + " rounds; whiskers: least and most of one round",
              rows, true);
}

}  // namespace

std::string svg_of(const Options& o, const std::vector<RunResult>& results) {
  if (!o.compare.empty()) return ratios(o, results);
  for (const RunResult& r : results)
    if (r.table.is_series && !r.table.empty())
      return curves(std::string(benchmark_name(r.benchmark)) + ", " + r.engine + " on " + r.facts.medium,
                    r.table);
  std::vector<Bar> rows;
  for (const RunResult& r : results)
    rows.push_back({benchmark_name(r.benchmark), r.ops_per_sec(), r.ops_per_sec(), r.ops_per_sec(),
                    short_number(r.ops_per_sec())});
  return bars("Operations a second, " + o.engine, rows, false);
}

}  // namespace nacre::bench
