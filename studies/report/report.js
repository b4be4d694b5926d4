'use strict';
(() => {
  const byId = id => document.getElementById(id);
  const figures = JSON.parse(byId('figures').textContent);
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const drawn = [];
  const NARROW = 700, SHOWN = 12;
  let printing = false, details = null, chosen = null, picture = '';

  const colours = () => dark.matches && !printing
    ? {ink: '#e3e8ed', grid: '#333e48', faint: '#232c35', paper: '#1c242c', quiet: '#7d8a96'}
    : {ink: '#24313d', grid: '#dfe4e8', faint: '#f0f2f4', paper: '#ffffff', quiet: '#7d8a96'};

  function theme(layout) {
    const look = colours(), change = {
      paper_bgcolor: 'rgba(0,0,0,0)', plot_bgcolor: 'rgba(0,0,0,0)', 'font.color': look.ink,
      'hoverlabel.bgcolor': look.paper, 'hoverlabel.font.color': look.ink,
      'modebar.bgcolor': 'rgba(0,0,0,0)', 'modebar.color': look.quiet, 'modebar.activecolor': look.ink,
    };
    for (const key of Object.keys(layout)) {
      if (!/^[xy]axis[0-9]*$/.test(key)) continue;
      change[key + '.linecolor'] = look.ink;
      change[key + '.gridcolor'] = look.grid;
      if (layout[key].minor) change[key + '.minor.gridcolor'] = look.faint;
    }
    if (layout.scene) {
      for (const key of ['xaxis', 'yaxis', 'zaxis']) {
        change['scene.' + key + '.color'] = look.ink;
        change['scene.' + key + '.gridcolor'] = look.grid;
        change['scene.' + key + '.backgroundcolor'] = 'rgba(0,0,0,0)';
      }
    }
    return change;
  }

  function set(layout, change) {
    for (const [path, value] of Object.entries(change)) {
      const keys = path.split('.'), last = keys.pop();
      keys.reduce((at, key) => at[key] ??= {}, layout)[last] = value;
    }
  }

  function draw(div) {
    const figure = figures[div.id];
    if (!figure) return;
    delete figures[div.id];
    const {data, layout, config} = figure;
    delete layout.height;
    if (div.clientWidth < 600 && layout.legend) set(layout, {'legend.font.size': 11});
    if (div.clientWidth < 600 && layout.scene) {  // further away, so that its labels are inside
      const eye = layout.scene.camera.eye;
      for (const axis of 'xyz') eye[axis] *= 1.45;
    }
    set(layout, theme(layout));
    try {
      Plotly.newPlot(div, data, layout, config).then(() => attach(div));
    } catch (error) {
      failed(div, error);
    }
  }

  function attach(div) {
    drawn.push(div);
    div.dataset.drawn = '';
    const views = Object.keys(div.layout).filter(key => /^xaxis[0-9]*$/.test(key)).length;
    if (views > 1) arrangeViews(div);
    if (!('picks' in div.dataset)) return;
    div.on('plotly_click', event => {
      const number = event.points[0].customdata;
      if (number === undefined) return;
      choose(number);
      if (innerWidth < NARROW) byId('detail').scrollIntoView({behavior: 'smooth'});
    });
    div.addEventListener('keydown', step);
    if (chosen !== null) mark(div);
  }

  // Figures cost time: each is drawn as it comes near the window, or all before printing.
  const near = new IntersectionObserver(entries => {
    for (const {isIntersecting, target} of entries) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      draw(target);
    }
  }, {rootMargin: '300px'});

  function failed(div, error) {
    div.textContent = 'This figure could not be drawn here (' + error.message + ').';
    div.style.height = 'auto';
  }

  async function unpack() {
    const packed = Uint8Array.from(atob(byId('details').textContent), c => c.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'));
    details = JSON.parse(await new Response(stream).text());
    const asked = Number((location.hash.match(/^#trial-(\d+)$/) || [])[1]);
    const first = asked in details.trials ? asked : details.best;
    if (first !== null) choose(first, true);
  }

  function step(event) {
    const moves = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1};
    if (!details || !details.front.length) return;
    const last = details.front.length - 1, at = details.front.indexOf(chosen);
    let next;
    if (event.key === 'Home') next = 0;
    else if (event.key === 'End') next = last;
    else if (event.key in moves) next = Math.min(last, Math.max(0, at + moves[event.key]));
    else return;
    event.preventDefault();
    choose(details.front[next]);
  }

  function choose(number, first) {
    const trial = details && details.trials[number];
    if (!trial || !byId('detail')) return;
    chosen = number;
    if (!first) history.replaceState(null, '', '#trial-' + number);
    const member = details.front.includes(number) ? 'on the front' : 'not on the front';
    byId('detail-title').textContent = 'Trial ' + number + ', ' + member;
    byId('detail-text').textContent = trial.text;
    byId('detail-command').textContent = 'nas train ' + number + ' ' + details.options;
    const body = byId('detail-cost').tBodies[0];
    body.replaceChildren(...trial.rows.map(cells => {
      const row = document.createElement('tr');
      for (const cell of cells) row.insertCell().textContent = cell;
      return row;
    }));
    picturePut(number, trial);
    curvePut(number, trial.curves || []);
    for (const div of drawn) if ('picks' in div.dataset) mark(div);
    for (const button of document.querySelectorAll('[data-trial]')) {
      const own = Number(button.dataset.trial) === number;
      button.closest('tr').classList.toggle('chosen', own);
      button.setAttribute('aria-pressed', own);
    }
  }

  // As an image the drawing can run nothing, whatever it holds.
  function picturePut(number, trial) {
    const image = byId('detail-drawing'), none = byId('detail-no-drawing');
    if (picture) URL.revokeObjectURL(picture);
    picture = trial.svg ? URL.createObjectURL(new Blob([trial.svg], {type: 'image/svg+xml'})) : '';
    image.hidden = !picture;
    none.hidden = Boolean(picture);
    if (picture) {
      image.src = picture;
      image.alt = 'Drawing of the architecture of trial ' + number + ': ' + trial.text;
    } else {
      none.textContent = 'This draws it: nas show ' + number + ' ' + details.options +
        ' --svg trial-' + number + '.svg';
    }
  }

  function curvePut(number, curves) {
    const div = byId('detail-curve');
    div.hidden = !curves.length;
    byId('detail-no-curve').hidden = Boolean(curves.length);
    if (!curves.length) return;
    const dashes = ['solid', 'dash', 'dot', 'dashdot'], data = [];
    curves.forEach(([budget, points], place) => {
      for (const view of [1, 2]) {
        data.push({
          x: points.map(point => point[0]), y: points.map(point => point[view]),
          xaxis: 'x' + (view > 1 ? 2 : ''), yaxis: 'y' + (view > 1 ? 2 : ''),
          name: budget.toLocaleString('en') + ' images', showlegend: view === 1,
          legendgroup: String(budget), mode: points.length > 1 ? 'lines' : 'markers',
          line: {color: place % 2 ? '#D55E00' : '#0072B2', dash: dashes[place % 4]},
        });
      }
    });
    const axis = title => ({title: {text: title}, showline: true, zeroline: false, ticks: 'outside'});
    const narrow = div.clientWidth < 600;  // then one below the other
    div.style.height = narrow ? '560px' : '';
    const layout = {
      margin: {l: 60, r: 15, t: 35, b: 50}, font: {family: 'system-ui, sans-serif', size: 13},
      legend: {orientation: 'h', x: 0, y: 1, yanchor: 'bottom'},
      xaxis: {...axis('images seen'), tickformat: '~s', domain: narrow ? [0, 1] : [0, 0.4]},
      xaxis2: {...axis('images seen'), tickformat: '~s', domain: narrow ? [0, 1] : [0.6, 1], anchor: 'y2'},
      yaxis: axis('training loss'), yaxis2: {...axis('training accuracy'), tickformat: '~%', anchor: 'x2'},
    };
    if (narrow) set(layout, {'yaxis.domain': [0.6, 1], 'yaxis2.domain': [0, 0.4]});
    set(layout, theme(layout));
    div.setAttribute('aria-label', 'Learning curves of trial ' + number + ': ' + curves.map(
      ([budget, points]) => 'with ' + budget.toLocaleString('en') + ' images it ends at loss ' +
        points.at(-1)[1] + ' and training accuracy ' + (100 * points.at(-1)[2]).toFixed(1) + ' %'
    ).join('; '));
    Plotly.react(div, data, layout, {responsive: true, displayModeBar: false});
    if (!drawn.includes(div)) drawn.push(div);
  }

  function mark(div) {
    if (div.layout.scene) {
      const last = div.data.length - 1, at = {x: [[]], y: [[]], z: [[]]};
      for (const trace of div.data.slice(0, last)) {
        const index = trace.customdata.indexOf(chosen);
        if (index >= 0) for (const axis of 'xyz') at[axis] = [[trace[axis][index]]];
      }
      Plotly.restyle(div, at, [last]);
      return;
    }
    const places = [], points = [];
    div.data.forEach((trace, place) => {
      if (!trace.customdata) return;
      const index = trace.customdata.indexOf(chosen);
      places.push(place);
      points.push(index >= 0 ? [index] : []);
    });
    Plotly.restyle(div, {selectedpoints: points}, places);
  }

  for (const button of document.querySelectorAll('[data-trial]')) {
    button.addEventListener('click', () => {
      choose(Number(button.dataset.trial));
      byId('detail').scrollIntoView({block: 'nearest'});
    });
  }

  for (const table of document.querySelectorAll('table.sorts')) {
    const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
    heads.forEach((head, column) => head.firstElementChild.addEventListener('click', () => {
      const up = head.getAttribute('aria-sort') !== 'ascending';
      for (const other of heads) other.setAttribute('aria-sort', 'none');
      head.setAttribute('aria-sort', up ? 'ascending' : 'descending');
      const value = row => row.cells[column].dataset.sort;
      const numbers = [...body.rows].every(row => value(row) !== '' && !isNaN(value(row)));
      const compare = numbers ? (a, b) => value(a) - value(b)
        : (a, b) => value(a).localeCompare(value(b), 'en', {numeric: true});
      body.append(...[...body.rows].sort((a, b) => up ? compare(a, b) : compare(b, a)));
    }));
  }

  // Of a long table the first rows, as it is sorted, until all are asked for.
  for (const table of document.querySelectorAll('.scroll table')) {
    const count = table.tBodies[0].rows.length;
    if (count <= SHOWN + 3) continue;
    table.classList.add('folded');
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'more';
    const say = () => {
      const folded = table.classList.contains('folded');
      button.textContent = folded ? 'show all ' + count + ' rows' : 'show ' + SHOWN + ' rows';
      button.setAttribute('aria-expanded', !folded);
    };
    button.addEventListener('click', () => { table.classList.toggle('folded'); say(); });
    say();
    table.closest('.scroll').after(button);
  }

  function recolour() {
    for (const div of drawn) Plotly.relayout(div, theme(div.layout));
  }
  dark.addEventListener('change', recolour);
  addEventListener('beforeprint', () => {
    printing = true;
    for (const id of Object.keys(figures)) draw(byId(id));
    for (const div of drawn) Plotly.relayout(div, {...theme(div.layout), width: 680});
  });
  addEventListener('afterprint', () => {
    printing = false;
    for (const div of drawn) Plotly.relayout(div, {...theme(div.layout), width: null, autosize: true});
  });

  for (const id of Object.keys(figures)) near.observe(byId(id));
  unpack();
})();
