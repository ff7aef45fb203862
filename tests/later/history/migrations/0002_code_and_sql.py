from django.db import migrations

from tests.later.notes import noting

ENTRIES = {"model_name": "studentmodulehistory"}


class Migration(migrations.Migration):
    dependencies = [("xblock_history", "0001_initial")]

    operations = [
        migrations.RunPython(noting("code"), noting("code undone")),
        migrations.RunPython(noting("code"), noting("code undone"), hints=ENTRIES),
        migrations.RunPython(noting("code"), noting("code undone"), hints={"another": "hint"}),
        migrations.RunSQL("CREATE TABLE entry_sql (id integer)", "DROP TABLE entry_sql"),
        migrations.RunSQL(
            "CREATE TABLE entry_sql_with_hint (id integer)", "DROP TABLE entry_sql_with_hint", hints=ENTRIES
        ),
    ]
