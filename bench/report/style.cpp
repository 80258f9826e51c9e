#include "page.hpp"

namespace kinglet::tools::report {

const char* const kPageStyle = R"(
:root{--paper:#fff;--ink:#1c1f24;--muted:#5b616b;--line:#e4e7eb;--band:#f6f7f9;
--accent:#0b62a8;--slower:#a8400a;--faster:#00704f}
@media screen and (prefers-color-scheme:dark){:root{--paper:#15181c;--ink:#e8eaed;--muted:#a2a8b2;
--line:#2c3138;--band:#1b1f24;--accent:#5aaaf0;--slower:#f08c4e;--faster:#3cc3a0}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1128px;padding:40px 24px 64px;background:var(--paper);color:var(--ink);
font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,Helvetica,Arial,sans-serif}
h1{font-size:28px;line-height:1.2;margin:0 0 6px;letter-spacing:-.01em}
h2{font-size:20px;line-height:1.3;margin:56px 0 12px;padding-top:14px;border-top:1px solid var(--line)}
h3{font-size:15px;margin:28px 0 8px}
p{margin:8px 0;max-width:74ch}
.lead,.note{color:var(--muted)}
.note{font-size:13.5px}
.warn{border-left:3px solid var(--slower);padding-left:12px}
nav{margin:18px 0 0;display:flex;flex-wrap:wrap;gap:4px 18px;font-size:14px}
a{color:var(--accent);text-decoration:none}
a:hover,a:focus{text-decoration:underline}
.plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,420px),1fr));gap:28px 32px;
margin:20px 0 8px;align-items:start}
.plots svg{display:block;width:100%;max-width:490px;height:auto}
.scroll{overflow-x:auto;margin:14px 0 6px}
table{border-collapse:collapse;font-size:13.5px;line-height:1.4;font-variant-numeric:tabular-nums}
th,td{padding:6px 10px;text-align:left;vertical-align:top;border-bottom:1px solid var(--line);
overflow-wrap:anywhere;min-width:4ch}
thead th{color:var(--muted);font-weight:500;vertical-align:bottom;border-bottom-color:var(--muted);
overflow-wrap:normal}
tbody th{font-weight:500;position:sticky;left:0;background:var(--paper)}
.short{white-space:nowrap}
.wide{min-width:26ch;max-width:40ch}
th:first-child{padding-left:0}
th:last-child,td:last-child{padding-right:0}
.n{text-align:right;white-space:nowrap;overflow-wrap:normal}
thead .n{white-space:normal}
tbody tr:hover,tbody tr:hover th{background:var(--band)}
.small{color:var(--muted);font-size:12px;white-space:nowrap}
.slower{color:var(--slower);font-weight:600}
.faster{color:var(--faster);font-weight:600}
@media (max-width:600px){body{padding:24px 16px 40px}h1{font-size:24px}h2{margin-top:40px}
th,td{padding:6px 8px}.wide{min-width:15ch}}
@page{margin:15mm}
@media print{body{max-width:none;padding:0;font-size:10pt}nav{display:none}h2{margin-top:24pt}
h2,h3,thead{break-after:avoid}.plots{grid-template-columns:1fr 1fr;gap:14pt}.plots svg{break-inside:avoid}
.scroll{overflow:visible}table{font-size:8pt}th,td{padding:2pt 4pt}tr{break-inside:avoid}}
)";

}  // namespace kinglet::tools::report
