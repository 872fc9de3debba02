const colours = {
  light: {
    page: '#f6f7f9',
    card: '#ffffff',
    ink: '#16202c',
    muted: '#5d6b7a',
    rule: '#e2e6eb',
    axis: '#9aa6b2',
    one: '#d9480f',
    two: '#1c6fd1',
    three: '#2b8a3e',
    all: '#3d4a57',
  },
  dark: {
    page: '#0f1419',
    card: '#182029',
    ink: '#e6ebf0',
    muted: '#94a3b3',
    rule: '#2a3541',
    axis: '#5b6875',
    one: '#ff8a4c',
    two: '#5ea8ff',
    three: '#69db7c',
    all: '#c2ccd6',
  },
};

function variables(theme) {
  return Object.entries(colours[theme])
    .map(([name, value]) => `--${name}:${value}`)
    .join(';');
}

/** The page's style; colours follow the system unless the page's button says otherwise. */
export const style = `
:root{color-scheme:light;${variables('light')}}
@media(prefers-color-scheme:dark){:root:not([data-theme=light]){color-scheme:dark;${variables('dark')}}}
:root[data-theme=dark]{color-scheme:dark;${variables('dark')}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif}
main{max-width:1240px;margin:0 auto;padding:36px 24px 56px}
header{display:flex;gap:24px;align-items:flex-start;justify-content:space-between}
h1{font-size:30px;line-height:1.2;margin:0 0 6px;letter-spacing:-.01em}
h2{font-size:17px;margin:0 0 2px}
p{margin:0}
.lead,.caption,footer{color:var(--muted)}
.lead{max-width:820px}
.caption{font-size:13.5px;margin-bottom:10px}
button{font:inherit;font-size:13px;color:var(--muted);background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:5px 12px;cursor:pointer;white-space:nowrap}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(178px,1fr));gap:14px;margin:26px 0 14px}
.tile,.card{background:var(--card);border:1px solid var(--rule);border-radius:12px}
.tile{padding:14px 18px}
.tile b{display:block;font-size:26px;line-height:1.25;font-weight:650;font-variant-numeric:tabular-nums}
.tile span{color:var(--muted);font-size:13.5px}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,500px),1fr));gap:14px}
.card{padding:18px 20px;margin-bottom:14px;min-width:0}
.plots .card{margin:0}
.plots+.card{margin-top:14px}
svg{display:block;width:100%;height:auto}
.scroll{overflow-x:auto}
svg text{font-size:12px;fill:var(--muted)}
svg .title{font-size:12.5px;fill:var(--ink)}
svg .note{font-size:11.5px;fill:var(--ink)}
svg .grid{stroke:var(--rule);stroke-width:1;fill:none}
svg .axis{stroke:var(--axis);stroke-width:1;fill:none}
svg .curve{fill:none;stroke-width:2.2;stroke-linejoin:round}
svg .fill{opacity:.16;stroke:none}
svg .chance{fill:none;stroke:var(--axis);stroke-dasharray:3 5}
svg .threshold{fill:none;stroke:var(--ink);stroke-dasharray:6 4;stroke-width:1.2}
svg .work{fill:var(--card);stroke:var(--ink);stroke-width:2}
svg .fill.one{fill:var(--one)} svg .fill.two{fill:var(--two)} svg .fill.three{fill:var(--three)} svg .fill.all{fill:var(--all)}
svg .curve.one{stroke:var(--one)} svg .curve.two{stroke:var(--two)} svg .curve.three{stroke:var(--three)} svg .curve.all{stroke:var(--all)}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;font-size:13px;color:var(--muted);margin-bottom:8px}
.legend i{display:inline-block;width:14px;height:4px;border-radius:2px;margin-right:7px;vertical-align:middle}
.legend i.dot{width:10px;height:10px;border-radius:50%;border:2px solid var(--axis)}
i.one{background:var(--one)} i.two{background:var(--two)} i.three{background:var(--three)} i.all{background:var(--all)}
svg .branch{fill:none;stroke:var(--axis);stroke-width:1.2;opacity:.75}
svg .particle{font-size:15px;fill:var(--ink);font-weight:600}
svg .particle .bar{text-decoration:overline;text-decoration-thickness:1.4px}
svg .particle .small{font-size:10.5px;text-decoration:none}
svg .numbers{font-size:11px;font-variant-numeric:tabular-nums}
svg .dot{stroke-width:2;stroke:var(--axis);fill:var(--card)}
svg .dot.charged{fill:var(--one);stroke:var(--one)} svg .dot.neutral{fill:var(--two);stroke:var(--two)}
svg .dot.invisible{stroke:var(--axis);stroke-dasharray:2 2}
.legend i.charged{background:var(--one);border-color:var(--one)} .legend i.neutral{background:var(--two);border-color:var(--two)}
.legend i.invisible{border-style:dotted}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:7px 10px;text-align:right;border-top:1px solid var(--rule);font-weight:400}
thead th{border-top:none;color:var(--muted);font-size:13px}
th:first-child,td:first-child{text-align:left}
.tables{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,430px),1fr));gap:14px}
.tables .card{margin:0 0 14px}
footer{font-size:13px;margin-top:14px}
a{color:var(--two)}
@media print{button{display:none}}
`;
