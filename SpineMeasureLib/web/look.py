"""The style sheet of the page, and the scripts that it needs besides trame's."""

from __future__ import annotations

from ..review.panel import SHORTCUTS
from .overlay import STYLE as OVERLAY_STYLE
from .places import UPLOAD_LIMIT

STYLE = (
    """
html { overflow: hidden; }
.v-btn { text-transform: none; letter-spacing: 0; }
.sm-name { font-weight: 500; margin: 0 14px 0 16px; }
#title { margin-right: 14px; }
#stage { white-space: nowrap; min-width: 220px; }
.sm-quiet { opacity: .65; }
.sm-main { display: flex; flex-direction: column; height: calc(100vh - 48px); }
.sm-tools { display: flex; flex-wrap: wrap; align-items: center; gap: 0 10px; min-height: 40px; padding: 0 10px; }
.sm-tools { flex: none; }
.sm-choice { display: flex; align-items: center; gap: 0 10px; }
.sm-check { flex: none; } .sm-check .v-label { font-size: 12px; white-space: nowrap; }
.sm-views { flex: 1; min-height: 0; contain: strict; }
.sm-panel { display: flex; flex-direction: column; height: 100%; padding: 4px 0; }
.sm-line { display: flex; flex-wrap: wrap; gap: 6px; align-items: center; padding: 4px 10px; flex: none; }
.sm-line .v-input { min-width: 96px; }
.sm-line .v-field, .sm-line .v-field__input { font-size: 13px; }
.sm-alert { flex: none; margin: 4px 10px; font-size: 13px; }
.sm-table { flex: 1; min-height: 120px; font-size: 12.5px; contain: strict; }
.sm-table th { padding: 0 6px !important; height: 30px !important; font-size: 12px; }
.sm-table td { padding: 0 6px !important; height: 26px !important; white-space: nowrap; }
.sm-table td { font-variant-numeric: tabular-nums; }
.sm-table table { table-layout: auto; }
.sm-row { cursor: pointer; scroll-margin: 34px 0 4px; }
.sm-row:hover td { background: rgba(128, 128, 128, .12); }
.sm-row.sm-selected td { background: rgba(33, 150, 243, .22); }
.sm-row.sm-current td:first-child { box-shadow: inset 3px 0 0 #2196f3; }
.sm-row.sm-pinned td { border-top: 1px dashed; border-bottom: 1px dashed; font-style: italic; }
.sm-flags { max-width: 90px; } .sm-quantity { max-width: 150px; }
.sm-flags, .sm-quantity { overflow: hidden; text-overflow: ellipsis; }
@media (max-width: 1279px) { .sm-quantity { max-width: 108px; } }
.sm-automatic { color: rgba(var(--v-theme-on-surface), .65); }
.sm-edited { color: #f57c00; } .sm-flagged { color: #f44336; } .sm-accepted { color: #43a047; }
.sm-chart { display: flex; gap: 8px; padding: 2px 10px; flex: none; overflow: auto; max-height: 36vh; }
.sm-chart { contain: content; }
.sm-key { padding: 0 14px 4px; flex: none; }
.sm-help td { padding: 2px 18px 2px 0; font-size: 14px; white-space: nowrap; }
.sm-help .sm-head { font-weight: 500; padding-top: 10px; }
"""
    + OVERLAY_STYLE
)

#: Runs before the page connects: messages of the server arrive as buffers. The client asks for Blobs, which pass
#: through Chromium's browser process twice and took a quarter of the browser's time during a drag.
FIRST_SCRIPT = """
ArrayBuffer.prototype.arrayBuffer = function () { return this; };
const kind = Object.getOwnPropertyDescriptor(WebSocket.prototype, 'binaryType');
Object.defineProperty(WebSocket.prototype, 'binaryType', {...kind, set() { kind.set.call(this, 'arraybuffer'); }});
"""

#: Keys as Qt writes them -> action.
_KEYS = {keys: action for keys, (action, _) in SHORTCUTS.items()}

#: Keys (those with Ctrl belong to a text field that has the focus); the current row scrolled into view; a mouse that
#: leaves a view; downloads and uploads, which report errors in the page.
SCRIPT = f"""
(() => {{
  if (window.spineMeasure) return;
  window.spineMeasure = true;
  const keys = {_KEYS};
  const limit = {UPLOAD_LIMIT};
  const tell = (text, error = true) =>
    window.trame.state.update({{message: text, message_hint: '', message_error: error}});
  const typing = 'input:not([readonly], [type=checkbox], [type=range], [type=file]), textarea, [contenteditable]';
  const action = (event) => {{
    // The letter printed on the key, unless Alt turns it into another character.
    const key = /^[a-z]$/i.test(event.key) ? event.key.toUpperCase() : event.code.replace(/^(Key|Arrow)/, '');
    const control = event.ctrlKey || event.metaKey;
    if (control && event.target.matches?.(typing)) return undefined;
    return keys[(control ? 'Ctrl+' : '') + (event.altKey ? 'Alt+' : '') + (event.shiftKey ? 'Shift+' : '') + key];
  }};
  window.addEventListener('keydown', (event) => {{
    const name = action(event);
    if (!name) return;
    event.preventDefault();
    window.trame.trigger('act', [name]);
  }});
  window.trame.state.watch(['current'], () => {{
    requestAnimationFrame(() => document.querySelector('tr.sm-current')?.scrollIntoView({{block: 'nearest'}}));
  }});
  document.addEventListener('pointerout', (event) => {{
    const view = event.target.closest('.remote-controlled-area');
    // Delayed, so that it does not overtake mouse moves that are still in transit.
    if (view && !view.contains(event.relatedTarget)) setTimeout(() => window.trame.trigger('left'), 300);
  }});
  document.addEventListener('click', async (event) => {{
    const item = event.target.closest('a.sm-export');
    if (!item) return;
    event.preventDefault();
    if (item.classList.contains('v-list-item--disabled')) return;
    const busy = 'Exporting ...';
    tell(busy, false);
    try {{
      const answer = await fetch(item.href);
      if (!answer.ok) throw new Error(await answer.text());
      const link = document.createElement('a');
      link.download = decodeURIComponent(
        /filename\\*=UTF-8''(\\S+)/.exec(answer.headers.get('Content-Disposition'))[1]);
      link.href = URL.createObjectURL(await answer.blob());
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60000);
      if (window.trame.state.get('message') === busy) tell('', false);  // unless the server has said something
    }} catch (error) {{
      tell(error instanceof TypeError ? 'The server does not respond.' : error.message);
    }}
  }});
  document.addEventListener('change', async (event) => {{
    if (event.target.id !== 'upload' || !event.target.files.length) return;
    const file = event.target.files[0];
    event.target.value = '';
    window.trame.state.set('opening', false);
    if (file.size > limit) {{
      tell(`The file is larger than ${{limit / 2 ** 20}} MB. Open it with 'spinemeasure review' instead.`);
      return;
    }}
    tell(`Uploading ${{file.name}} ...`, false);
    try {{
      const answer = await fetch('upload?name=' + encodeURIComponent(file.name), {{method: 'POST', body: file}});
      if (!answer.ok) tell(await answer.text());
    }} catch (error) {{
      tell('The upload was rejected or interrupted. Try again.');
    }}
  }});
}})();
"""
