"""Talkers, music and echo paths for the comparison. Nothing here is committed or shipped: speech is made by espeak-ng or read from
Debian's packages of Asterisk prompts, music from its music on hold, the paths of ITU-T G.168 from Debian's libspandsp-dev."""

import hashlib
import re
import subprocess
import wave
from pathlib import Path

import numpy as np
from scipy.signal import resample_poly

SOUNDS = Path("/usr/share/asterisk/sounds")
MUSIC = Path("/usr/share/asterisk/moh")
G168 = Path("/usr/include/spandsp/g168models.h")

TEXTS = {
    "en-us": "Good evening, this is the parcel service, I have a delivery for apartment forty two. Could you please open the "
    "front door? The box is quite heavy, and it has started to rain. I can leave it with your neighbour on the third floor, or "
    "come back tomorrow between nine and eleven. Yes, the lift is working again. Thank you very much, I will be up in a minute. "
    "Please remember to bring something to write with, because somebody has to sign for it this time.",
    "ru": "Добрый вечер, это служба доставки, у меня посылка в сорок вторую квартиру. Откройте, пожалуйста, дверь подъезда. "
    "Коробка тяжёлая, и начинается дождь. Могу оставить её у соседей на третьем этаже или приехать завтра с девяти до "
    "одиннадцати. Да, лифт уже работает. Большое спасибо, через минуту поднимусь. Возьмите, пожалуйста, документ, без него "
    "посылку не отдадут.",
    "de": "Guten Abend, hier ist der Paketdienst, ich habe eine Sendung für Wohnung zweiundvierzig. Machen Sie bitte die Haustür "
    "auf? Der Karton ist ziemlich schwer, und es fängt an zu regnen. Ich kann ihn auch bei den Nachbarn im dritten Stock lassen "
    "oder morgen zwischen neun und elf noch einmal kommen. Ja, der Aufzug geht wieder. Vielen Dank, ich bin gleich oben.",
    "fr": "Bonsoir, c'est le service de livraison, j'ai un colis pour l'appartement quarante-deux. Pouvez-vous ouvrir la porte "
    "d'entrée, s'il vous plaît ? Le carton est lourd et il commence à pleuvoir. Je peux le laisser chez votre voisin du "
    "troisième étage ou repasser demain entre neuf et onze heures. Oui, l'ascenseur marche de nouveau. Merci beaucoup, j'arrive.",
    "es": "Buenas tardes, soy del servicio de paquetería, traigo un envío para el apartamento cuarenta y dos. ¿Podría abrir la "
    "puerta, por favor? La caja pesa bastante y está empezando a llover. Puedo dejarla con su vecino del tercer piso o volver "
    "mañana entre las nueve y las once. Sí, el ascensor ya funciona. Muchas gracias, subo en un minuto.",
    "it": "Buonasera, sono il corriere, ho un pacco per l'appartamento quarantadue. Può aprire il portone, per favore? La scatola "
    "è piuttosto pesante e comincia a piovere. Posso lasciarla al vicino del terzo piano oppure tornare domani tra le nove e le "
    "undici. Sì, l'ascensore funziona di nuovo. Grazie mille, salgo subito.",
    "pl": "Dobry wieczór, tu kurier, mam przesyłkę do mieszkania czterdzieści dwa. Czy może pani otworzyć drzwi na dole? Paczka jest "
    "ciężka, a zaczyna padać deszcz. Mogę zostawić ją u sąsiada na trzecim piętrze albo przyjechać jutro między dziewiątą a "
    "jedenastą. Winda znowu działa. Dziękuję bardzo, zaraz będę na górze.",
    "pt": "Boa noite, sou da transportadora, trago uma encomenda para o apartamento quarenta e dois. Pode abrir a porta, por favor? A "
    "caixa é pesada e está a começar a chover. Posso deixá-la com o vizinho do terceiro andar ou voltar amanhã entre as nove e as "
    "onze. O elevador já funciona. Muito obrigado, subo num instante.",
    "nl": "Goedenavond, de pakketdienst, ik heb een zending voor appartement tweeënveertig. Wilt u de voordeur openen? De doos is nogal "
    "zwaar en het begint te regenen. Ik kan hem ook bij de buren op de derde verdieping laten of morgen tussen negen en elf "
    "terugkomen. Ja, de lift doet het weer. Dank u wel, ik kom er zo aan.",
    "uk": "Добрий вечір, це служба доставки, маю посилку до сорок другої квартири. Відчиніть, будь ласка, двері під'їзду. Коробка "
    "важка, і починається дощ. Можу залишити її в сусідів на третьому поверсі або приїхати завтра від дев'ятої до одинадцятої. "
    "Ліфт уже працює. Дуже дякую, за хвилину піднімуся.",
    "en-gb": "The meeting was moved to Thursday afternoon, so there is no hurry at all. Somebody left a blue bicycle against the wall "
    "near the letter boxes, and the caretaker would like to know whose it is. Will you be in at half past six, or shall I ring your "
    "sister instead? I have brought the keys back, together with two jars of plum jam.",
}


def read_wav(path):
    with wave.open(str(path)) as wav:
        rate, channels, width = wav.getframerate(), wav.getnchannels(), wav.getsampwidth()
        data = wav.readframes(wav.getnframes())
    if width != 2:
        raise ValueError(f"{path}: {8 * width} bits")
    samples = np.frombuffer(data, "<i2").astype(np.float32) / 32768
    return rate, samples.reshape(-1, channels)[:, 0]


def write_wav(path, samples, rate):
    with wave.open(str(path), "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(rate)
        wav.writeframes((np.clip(samples, -1, 0.99997) * 32768).astype("<i2").tobytes())


def convert(samples, source, target):
    if source == target:
        return samples
    common = np.gcd(source, target)
    return resample_poly(samples, target // common, source // common).astype(np.float32)


def say(cache, voice, text, rate, pitch=50, speed=160):
    """Speech of espeak-ng, kept in the cache."""
    key = hashlib.sha256(f"{voice}|{text}|{pitch}|{speed}".encode()).hexdigest()[:20]
    path = cache / "speech" / f"{key}.wav"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        subprocess.run(["espeak-ng", "-v", voice, "-p", str(pitch), "-s", str(speed), "-w", str(part), text], check=True)
        part.rename(path)
    source, samples = read_wav(path)
    return convert(samples, source, rate)


def active_level(samples, rate):
    """Root mean square of the frames within 30 dB of the loudest ones."""
    size = rate // 50
    frames = samples[: len(samples) // size * size].reshape(-1, size)
    power = (frames.astype(np.float64) ** 2).mean(axis=1)
    loud = np.percentile(power, 95)
    return float(np.sqrt(power[power > loud * 1e-3].mean()))


def at_level(samples, rate, dbfs=-20.0):
    return (samples * (10 ** (dbfs / 20) / active_level(samples, rate))).astype(np.float32)


def lasting(samples, rate, seconds):
    wanted = int(seconds * rate)
    return np.resize(samples, wanted).astype(np.float32)


def espeak_talker(cache, voice, language, pitch, seconds, rate):
    samples = say(cache, f"{language}+{voice}", TEXTS[language], rate, pitch)
    first = int(np.argmax(np.abs(samples) > 0.02))
    return at_level(lasting(samples[first:], rate, seconds), rate)


def prompts(folder, rate, seconds, skip=0):
    """Prompts of one speaker, one after the other, with 0.2 s between them."""
    parts, total = [], 0
    for path in sorted((SOUNDS / folder).glob("*.wav"))[skip:]:
        if re.search("beep|tone|silence|ring|dial", path.name):
            continue
        source, samples = read_wav(path)
        loud = np.flatnonzero(np.abs(samples) > 0.01)
        if len(loud) < source // 2:
            continue
        samples = convert(samples[loud[0] : loud[-1]], source, rate)
        parts += [samples, np.zeros(rate // 5, np.float32)]
        total += len(samples) + rate // 5
        if total > seconds * rate:
            break
    return at_level(lasting(np.concatenate(parts), rate, seconds), rate)


def g168(name):
    """The impulse response of a hybrid of ITU-T G.168 at 8 kHz."""
    text = G168.read_text(encoding="latin-1")
    body = re.search(rf"line_model_{name}_coeffs\[\]\s*=\s*\{{(.*?)\}}", text, re.S).group(1)
    return np.array([int(number) for number in re.findall(r"-?\d+", body)], np.float64)


def scaled(taps, erl_db):
    return taps / np.sqrt((taps**2).sum()) * 10 ** (-erl_db / 20)


def hybrid(name, erl_db, rate, delay_ms=1.0):
    taps = convert(g168(name), 8000, rate)
    return scaled(np.concatenate([np.zeros(int(delay_ms * rate / 1000)), taps]), erl_db)


def acoustic(delay_ms, decay_ms, length_ms, erl_db, rate, seed):
    """A direct sound and a decaying room without the lowest frequencies, as a small loudspeaker has none."""
    noise = np.random.default_rng(seed)
    delay, length = int(delay_ms * rate / 1000), int(length_ms * rate / 1000)
    taps = np.zeros(length)
    n = np.arange(length - delay)
    taps[delay:] = noise.standard_normal(length - delay) * np.exp(-n / (decay_ms * rate / 1000))
    taps[delay] += 3.0
    low = np.exp(-2 * np.pi * 200 / rate)
    out, y, last = np.zeros(length), 0.0, 0.0
    for i, x in enumerate(taps):
        y = low * (y + x - last)
        last = x
        out[i] = y
    return scaled(out, erl_db)


def mixed(*paths):
    out = np.zeros(max(len(path) for path in paths))
    for path in paths:
        out[: len(path)] += path
    return out
