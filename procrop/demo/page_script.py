"""The scripts of the page, and the area that photos are dropped on. Nothing is fetched from anywhere."""

import json

from procrop.demo.demo_limits import DemoLimits

# clicks on what has data-act go to the server; the focus goes back to where it was, though the cards have moved
PANEL_SCRIPT = """
let last = null;
element.addEventListener('click', async (event) => {
  const button = event.target.closest('[data-act]');
  if (!button) return;
  const {act, value, key} = button.dataset;
  if (act === 'copy') {
    try { await navigator.clipboard.writeText(value); button.textContent = 'Copied'; }
    catch (error) {  // only pages at https or localhost may write to the clipboard
      getSelection().selectAllChildren(button.closest('figure').querySelector('code'));
      button.textContent = 'Marked';
    }
    setTimeout(() => { button.textContent = 'Copy CSS'; }, 1500);
    return;
  }
  last = key;
  trigger('click', {act: act, value: value || ''});
});
watch('value', () => {
  if (last === null) return;
  const find = (key) => element.querySelector('[data-key="' + CSS.escape(key) + '"]');
  const again = find(last) || find(last.replace(/^ban /, 'pin '));  // a banned one can be allowed again
  if (again && (element.contains(document.activeElement) || document.activeElement === document.body))
    again.focus({preventScroll: true});
  last = null;
});
"""

# one file after the other; what is refused here is told beside the photos that came in
DROP_SCRIPT = """
const zone = element.querySelector('.pc-drop'), input = element.querySelector('input');
const say = element.querySelector('[role=status]'), limits = JSON.parse(zone.dataset.limits);
let turn = Promise.resolve();
async function take(files) {
  const taken = [];
  for (const [place, file] of files.entries()) {
    say.textContent = `uploading ${place + 1} of ${files.length}: ${file.name}`;
    if (place >= limits.photos) taken.push({name: file.name, refused: `more than ${limits.photos} photos at once`});
    else if (file.size > limits.bytes) taken.push({name: file.name,
      refused: `its file of ${(file.size / 2 ** 20).toFixed(1)} MB is larger than the limit of ${limits.mb} MB`});
    else try { taken.push({name: file.name, path: (await upload(file)).path}); }
    catch (error) { taken.push({name: file.name, refused: 'the upload failed'}); }
  }
  say.textContent = '';
  if (taken.length) trigger('upload', {files: taken});
}
function queue(files) { const list = [...files]; turn = turn.then(() => take(list)); }
input.addEventListener('change', () => { queue(input.files); input.value = ''; });
// a photo that misses the area would replace the page
for (const kind of ['dragover', 'drop', 'dragleave']) window.addEventListener(kind, (event) => {
  if (kind !== 'dragleave' && ![...event.dataTransfer.types].includes('Files')) return;
  zone.classList.toggle('pc-over', kind === 'dragover');
  if (kind === 'dragleave') return;
  event.preventDefault();
  if (kind === 'drop') queue(event.dataTransfer.files);
});
"""


def drop_area(limits: DemoLimits) -> str:
    """HTML of the area that photos are dropped on."""
    told = json.dumps(dict(photos=limits.photos, bytes=limits.upload_bytes, mb=limits.upload_mb))
    return (
        f"<div class=\"pc-drop\" data-limits='{told}'><label><b>Drop photos here</b><span>or choose files</span>"
        f"<small>up to {limits.photos} photos of {limits.upload_mb} MB and {limits.pixels / 1e6:g} megapixels "
        "each</small>"
        '<input type="file" multiple accept="image/*,.tif,.tiff,.webp,.avif,.jp2" aria-label="Photos to crop"></label>'
        '<p role="status"></p></div>'
    )
