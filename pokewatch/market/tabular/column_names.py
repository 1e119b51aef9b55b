"""The usual names of the columns of a table of prices, in several languages.

They are in lower case, with underscores between words; a currency in a name is not part of it.
"""

from collections.abc import Mapping

# Of two columns for one field, the one whose name stands first holds it.
FIELDS: Mapping[str, tuple[str, ...]] = {
    field: tuple(names.split())
    for field, names in {
        "card_id": "card_id card id sku cardid idproduct karte carte carta kaart karta カード "
        "kort kortti карта kart κάρτα 卡片 카드",
        "date": "date day datum tag fecha data price_date timestamp datetime time as_of "
        "fetched_at scraped_at collected_at observed_at jour giorno 日付 日期 날짜 dato "
        "päivä pvm dátum дата tarih ημερομηνία dia día dag pricedate "
        "snapshot_date as_of_date",
        "time": "time hour timestamp datetime fetched_at scraped_at collected_at "
        "observed_at updated_at uhrzeit zeit heure hora ora 時刻 时间",
        "market_price": "market_price price market marketprice trend trend_price tcg_market_price "
        "preis marktpreis prix precio prezzo price_usd price_eur value preço "
        "preco prijs cena preistrend tendance loose_price 価格 値段 价格 가격 "
        "market_value marketvalue current_price current_market_price trendprice "
        "tcgplayer_market tcgplayer_market_price cardmarket_trend prix_du_marché "
        "valeur precio_de_mercado valor prezzo_di_mercato valore preço_de_mercado "
        "marktprijs waarde cena_rynkowa wartość wert marktwert pris hinta цена "
        "fiyat τιμή 市场价 市場価格 시장가",
        "low_price": "low_price low lowprice tcg_low_price min_price price_low lowest_price",
        "mid_price": "mid_price mid midprice price_mid",
        "high_price": "high_price high highprice price_high highest_price",
        "avg7_price": "avg7_price avg7 avg_7",
        "avg30_price": "avg30_price avg30 avg_30",
        "volume": "volume sales sold",
        "currency": "currency wahrung währung devise moneda valuta waluta price_currency 通貨",
        "product_id": "product_id productid tcgplayer_id tcgplayer_product_id tcgplayerid",
        "name": "name card_name product_name productname kartenname artikel nom "
        "nom_de_la_carte nombre nome naam nazwa カード名 商品名 card_title product item "
        "title pokemon pokémon nombre_de_la_carta nome_della_carta nome_da_carta "
        "nazwa_karty kaartnaam kortnavn kortnamn название 卡名 名称 카드명",
        "set_id": "set_id set_code setcode",
        "set_name": "set_name set expansion "
        "edition console_name erweiterung extension série expansión edición "
        "espansione uitbreiding セット",
        "number": "number card_number collector_number nummer kartennummer numéro numero "
        "número 番号",
        "rarity": "rarity seltenheit rareté rareza rarità レアリティ",
        "printing": "printing sub_type subtypename variant finish variance foil",
        "released": "released release_date set_release_date",
        "image_url": "image_url image",
        "stale_days": "stale_days",
    }.items()
}
OWN_IDS = frozenset({"card_id", "id", "sku", "cardid", "idproduct"})  # not names of cards
KNOWN = frozenset(name for names in FIELDS.values() for name in names)
# Words in the names of columns that tell copies of a card apart.
COPIES: Mapping[str, tuple[str, ...]] = {
    kind: tuple(words.split())
    for kind, words in {
        "condition": "condition cond zustand état etat condición estado condizione condizioni "
        "condição conditie staat stan skick tilstand 状態",
        "grade": "grade grading graded grader",
        "printing": "printing variant variante finish foil foiling isfoil ausführung",
        "language": "language lang idlanguage sprache langue idioma lingua língua taal 言語 "
        "język språk sprog",
    }.items()
}
